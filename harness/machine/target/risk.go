package target

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix"
)

// Class is what a probe may do to a system that others use.
type Class string

const (
	Harmless Class = "harmless" // to everybody but itself
	Restores Class = "restores" // changes a setting for a moment that costs others nothing, and puts it back
	Harmful  Class = "harmful"  // others may lose work
)

// Risk is what a probe may do, and why.
type Risk struct {
	Class  Class
	Reason string
	// Emulated is whether a user-mode emulator decides what the probe asks: the
	// numbers of calls and flags are its own, all else is the host kernel's.
	Emulated bool
	// Archs are the only architectures where it is more than harmless, nil for all.
	Archs []string
}

// risks is every probe's risk, by probe. What is not in it is harmful: nobody
// has looked.
func risks() map[string]Risk {
	return map[string]Risk{
		"facts":         {Harmless, "it only reads", true, nil},
		"sysconf":       {Harmless, "it only reads", true, nil},
		"mmapabi":       {Harmless, "it maps memory of its own", true, nil},
		"mapstack":      {Harmless, "it maps memory and starts threads of its own", true, nil},
		"threadstacks":  {Harmless, "it starts some threads of its own", true, nil},
		"stackfallback": {Harmless, "it starts some threads of its own", true, nil},
		"variants":      {Harmless, "it starts programs of its own", true, nil},
		"cloneflags":    {Harmless, "it makes processes of its own, a few at a time", false, nil},
		"sigstack":      {Harmless, "it takes signals of its own", false, nil},
		// tracefs is mounted in a folder of its own and unmounted; in no other's way.
		"tracing":    {Restores, "it mounts tracefs in a folder of its own for a moment", false, nil},
		"protection": {Restores, "it sets kernel.yama.ptrace_scope to 2 for about a second, in which nobody but root attaches a debugger", false, nil},
		// At 16 MiB no user can start a program that is linked to 4 MiB, as Go's are.
		"address":      {Harmful, "it raises vm.mmap_min_addr to 16 MiB for about a second, in which users cannot start programs that are linked to lower addresses, Go's among them", false, nil},
		"threadlimits": {Harmful, "it lowers kernel.threads-max, kernel.pid_max, vm.max_map_count, vm.overcommit_memory and user.max_user_namespaces for some seconds each and uses them up, in which nobody else gets threads or memory", false, nil},
		"oslimits":     {Harmful, "it makes a control group and 1,000 threads, for which others may lack room", false, nil},
		"newosproc":    {Harmful, "it lowers kernel.threads-max, kernel.pid_max and vm.max_map_count for some seconds each, in which nobody else gets threads", false, nil},
		// stackprobe's detection: Linux 6.1 on MIPS frees the page of zeroes.
		"zeropage": {Harmful, "on some MIPS kernels it frees the page of zeroes that all processes share", false, []string{"mips64le"}},
		"hostile":  {Harmful, "it crashes the machine on purpose", false, nil},
		"inject":   {Harmful, "it makes system calls lie, which says nothing of the system", false, nil},
	}
}

// riskOf is a probe's risk; variants of a probe are named as "probe-variant".
func riskOf(probe, goarch string) Risk {
	program, _, _ := strings.Cut(probe, "-")
	if r, known := risks()[program]; known {
		if r.Archs != nil && !slices.Contains(r.Archs, goarch) {
			r.Class = Harmless
		}
		return r
	}
	return Risk{Class: Harmful, Reason: "nobody has said that it harms nothing"}
}

// refusal is why a probe is not run on a system of this kind, nil when it is.
func refusal(kind matrix.Host, probe, goarch string, destructive bool) *Failure {
	risk := riskOf(probe, goarch)
	switch {
	case kind == matrix.UserMode && !risk.Emulated:
		return &Failure{Kind: Refused, Message: fmt.Sprintf("probe %s: the answer would be that of this host's kernel and not of the architecture's; a user-mode emulator cannot decide it, so give a kernel or a machine of the architecture", probe)}
	case risk.Class == Harmful && !destructive:
		return &Failure{Kind: Refused, Message: fmt.Sprintf("probe %s can harm a system that others use: %s; on a machine that nobody else uses, allow it with --destructive", probe, risk.Reason)}
	}
	return nil
}
