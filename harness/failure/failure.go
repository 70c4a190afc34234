// Package failure says why something was not observed, and who is to blame. Machines report
// failures, evidence stores them, and judges read them, so the package imports none of these.
package failure

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/poc/wire"
)

// Kind says how a target failed.
type Kind string

const (
	Panic       Kind = "panic"       // the kernel reported a panic
	Oops        Kind = "oops"        // the kernel reported an oops
	Lockup      Kind = "lockup"      // the kernel reported a lockup
	NoInit      Kind = "no-init"     // the kernel could not start the agent
	Reboot      Kind = "reboot"      // the guest reset itself without a word
	Hang        Kind = "hang"        // no record within the limit
	WrongArch   Kind = "wrong-arch"  // the kernel is for another architecture
	Mismatch    Kind = "mismatch"    // the guest is not what the cell says
	Protocol    Kind = "protocol"    // the agent's records make no sense
	Infra       Kind = "infra"       // QEMU, the toolchain, a mirror, the disk
	Missing     Kind = "missing"     // a part that no archive has was not supplied, or cannot be built here
	Refused     Kind = "refused"     // the probe could harm others on the target, or could decide nothing there
	Altered     Kind = "altered"     // a setting of the system is not what it was before the probes
	Interrupted Kind = "interrupted" // the run was stopped from outside
)

// Failure is a target that could not do what it was asked. It is never a pass.
type Failure struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`           // what was attempted, what was seen, what to do
	Console string `json:"console,omitempty"` // the console's last lines
	// Early holds what stage 0 observed in a guest that then did not boot; nil if it
	// observed nothing.
	Early *wire.Transcript `json:"-"`
}

// Error returns the kind, the message and the console's last lines.
func (f *Failure) Error() string {
	text := fmt.Sprintf("%s: %s", f.Kind, f.Message)
	if f.Console != "" {
		text += "\n  the console's last lines:\n" + strings.TrimRight(f.Console, "\n")
	}
	return text
}

// Transient reports whether the same attempt may succeed with a fresh guest: QEMU or the way
// to it failed, and not the kernel.
func (f *Failure) Transient() bool { return f.Kind == Infra || f.Kind == Protocol }

// Ours reports whether the infrastructure or the cell's description is to blame, and not
// the kernel.
func (f *Failure) Ours() bool {
	switch f.Kind {
	case Infra, Protocol, WrongArch, Mismatch, Altered:
		return true
	}
	return false
}

// OfKernel reports whether the kernel is to blame.
func (f *Failure) OfKernel() bool {
	switch f.Kind {
	case Panic, Oops, Lockup, NoInit, Reboot, Hang:
		return true
	}
	return false
}
