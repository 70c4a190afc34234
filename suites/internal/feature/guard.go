package feature

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// guarded completes what was seen of a call that root was refused with EACCES or EPERM. A
// security module that confines the probes may do so. Without one the kernel has no reason,
// and the check says so.
func guarded(s claim.Shown, sight claim.Sight) claim.Sight {
	if sight.State != claim.Absent {
		return sight
	}
	if !s.Facts.Confined() {
		return claim.Sight{State: claim.Present}
	}
	sight.How += ", and the probes run under " + s.Facts.Confinement()
	return sight
}

// denied reports whether an error says that the system does not allow something. It does
// not say that the kernel lacks it.
func denied(why string) bool {
	for _, end := range []string{"permission denied", "operation not permitted", "read-only file system"} {
		if strings.HasSuffix(why, end) {
			return true
		}
	}
	return false
}

// Untried returns why the probe newosproc did not try a cause, by the step of the cause: the
// system does not have it, or does not let root change it. It returns "" if it was tried.
func Untried(o wire.Observation) string {
	if why := o.Values["absent"]; why != "" {
		return why
	}
	if why := strings.TrimPrefix(o.Unknown["watched"], "not tried: "); denied(why) {
		return why
	}
	return ""
}

// LimitedGroup is a control group with the number of tasks that the system sets for a
// service or a session.
func LimitedGroup(of string) claim.Feature {
	const probe = "oslimits"
	return claim.Feature{
		Name: "control group for a program", Chinese: "可供程序使用的控制组", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			step := of + ".limits"
			if o, _ := s.Step(probe, step); o.Values["tasks"] != "" && denied(o.Values["ungrouped"]) {
				return absent(probe, o, o.Values["ungrouped"])
			}
			return claim.Sight{State: claim.Present} // a missing step is left to the check
		},
	}
}

// noGroup is how a child of the probe threadlimits ends that may make no control group.
var noGroup = regexp.MustCompile(`^panic: (mkdir \S+: [a-z -]+)\n`)

// ungrouped completes what was seen of a controller whose groups a step of the probe
// threadlimits makes.
func ungrouped(s claim.Shown, step string, sight claim.Sight) claim.Sight {
	o, _ := s.Step(limits, step)
	if m := noGroup.FindStringSubmatch(o.Values["stderr"]); m != nil && denied(m[1]) {
		return claim.Sight{State: claim.Absent, How: fmt.Sprintf("no group can be made: %s (step %q of probe %s)", m[1], step, limits)}
	}
	return sight
}
