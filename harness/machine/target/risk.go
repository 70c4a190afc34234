package target

import (
	"fmt"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/catalog"
)

// refusal returns why a probe is not run on a system of this kind; nil if it is run.
func refusal(kind matrix.Host, probe, goarch string, destructive bool) *failure.Failure {
	program, _ := catalog.Lookup(probe)
	switch {
	case kind == matrix.UserMode && !program.Emulated:
		return &failure.Failure{Kind: failure.Refused, Message: fmt.Sprintf("probe %s: the answer would be that of this host's kernel and not of the architecture's; a user-mode emulator cannot decide it, so give a kernel or a machine of the architecture", probe)}
	case program.Risk.On(goarch) == catalog.Harmful && !destructive:
		return &failure.Failure{Kind: failure.Refused, Message: fmt.Sprintf("probe %s can harm a system that others use: %s; on a machine that nobody else uses, allow it with --destructive", probe, program.Risk.Reason)}
	}
	return nil
}
