// Package target runs probes where a kernel under test is: in a QEMU guest, in
// this system, in one that ssh reaches, or under a user-mode emulator. Everything
// it reports about one that misbehaves is a *Failure.
package target

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/guest/account"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// Kind says how a target failed.
type Kind string

const (
	Panic       Kind = "panic"       // the kernel said so itself
	Oops        Kind = "oops"        // likewise
	Lockup      Kind = "lockup"      // likewise
	NoInit      Kind = "no-init"     // the kernel could not start the agent
	Reboot      Kind = "reboot"      // the guest reset itself without a word
	Hang        Kind = "hang"        // no record within the limit
	WrongArch   Kind = "wrong-arch"  // the kernel is for another architecture
	Mismatch    Kind = "mismatch"    // the guest is not what the cell says
	Protocol    Kind = "protocol"    // the agent's records make no sense
	Infra       Kind = "infra"       // QEMU, the toolchain, a mirror, the disk
	Missing     Kind = "missing"     // what no archive has was not supplied, or cannot be built here
	Refused     Kind = "refused"     // it could do harm there, or could decide nothing
	Altered     Kind = "altered"     // a setting of the system is not what it was
	Interrupted Kind = "interrupted" // the run was stopped from outside
)

// Failure is a target that could not do what it was asked. It is never a pass.
type Failure struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`           // what was attempted, what was seen, what to do
	Console string `json:"console,omitempty"` // the console's last lines
	// Early is what stage 0 observed in a guest that then did not boot, nil for nothing.
	Early *wire.Transcript `json:"-"`
}

func (f *Failure) Error() string {
	text := fmt.Sprintf("%s: %s", f.Kind, f.Message)
	if f.Console != "" {
		text += "\n  the console's last lines:\n" + strings.TrimRight(f.Console, "\n")
	}
	return text
}

// Blame says whether the failure is the infrastructure's, or the cell's
// description, and not the kernel's.
func (f *Failure) Blame() (infrastructure bool) {
	return f.Kind == Infra || f.Kind == Protocol || f.Kind == WrongArch || f.Kind == Mismatch || f.Kind == Altered
}

// tell adds what stage 0 observed to why an agent did not start. Where the ABI is
// another one, that is why.
func (f *Failure) tell(early wire.Transcript, goarch string) {
	f.Early = &early
	if table, known := abi.Lookup(goarch); known {
		if found := account.Diagnose(early, table); len(found) > 0 {
			f.Kind, f.Message = NoInit, strings.Join(found, "; ")+"\n"+f.Message
		}
	}
}
