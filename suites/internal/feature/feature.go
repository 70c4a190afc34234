// Package feature has what kernels and systems may lack, each with the observation by which
// its absence is seen. A claim names in its literal which of them it needs.
package feature

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// All returns every feature that a kernel must have from some version on, sorted by name.
// The suite features has a claim for each.
func All() []claim.Feature {
	all := []claim.Feature{Clone3(), SetTID(), ClearSighand(), NewTime(), IntoCgroup(), PidFD(), SyscallInfo(), SetSyscallInfo(), SeccompListener(), PidfdGetfd()}
	slices.SortFunc(all, func(a, b claim.Feature) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// since is a version that Seen is checked against.
func since(major, minor int) release.Release { return release.Release{Major: major, Minor: minor} }

// Controller is a controller of control groups of version 2.
func Controller(name string) claim.Feature {
	return claim.Feature{
		Name: name + " controller of control groups", Chinese: "控制组的 " + name + " 控制器",
		Seen: func(s claim.Shown) claim.Sight {
			switch {
			case s.Facts.Controllers == nil:
				return claim.Sight{State: claim.CouldNotTell, How: "the facts have no cgroup.controllers"}
			case slices.Contains(s.Facts.Controllers, name):
				return claim.Sight{State: claim.Present}
			}
			return claim.Sight{State: claim.Absent, How: fmt.Sprintf("cgroup.controllers is %q", strings.Join(s.Facts.Controllers, " "))}
		},
	}
}

// Sysctl is a sysctl that a configuration may leave out.
func Sysctl(name string) claim.Feature {
	return claim.Feature{
		Name: "sysctl " + name, Chinese: "sysctl " + name,
		Seen: func(s claim.Shown) claim.Sight {
			if _, known := s.Facts.Sysctl(name); known {
				return claim.Sight{State: claim.Present}
			}
			if why, unknown := s.Facts.Unknown["sysctl."+name]; unknown {
				return claim.Sight{State: claim.CouldNotTell, How: why}
			}
			return claim.Sight{State: claim.Absent, How: "/proc/sys/" + strings.ReplaceAll(name, ".", "/") + " is not there"}
		},
	}
}

// Capability is a right of capabilities(7) that the probes of a claim need: root in a
// container may lack it.
func Capability(name string, number uint) claim.Feature {
	return claim.Feature{
		Name: "right " + name, Chinese: "权限 " + name,
		Seen: func(s claim.Shown) claim.Sight {
			switch has, known := s.Facts.Capable(number); {
			case !known:
				return claim.Sight{State: claim.CouldNotTell, How: "/proc/self/status shows no CapEff"}
			case !has:
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("CapEff of the probes is %016x", *s.Facts.Capabilities)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}
