package feature

import (
	"fmt"
	"slices"

	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// limits is the probe whose steps show what the suite limits needs.
const limits = "threadlimits"

// PidsGroups is the pids controller in the hierarchy that has it, of version 2 or 1.
func PidsGroups() claim.Feature {
	f := Controller("pids")
	f.Probe = limits
	byVersion2 := f.Seen
	f.Seen = func(s claim.Shown) claim.Sight {
		o, ok := s.Step(limits, "pids.where")
		if !ok {
			return byVersion2(s)
		}
		if o.Values["version"] != "absent" {
			return ungrouped(s, "pids", claim.Sight{State: claim.Present})
		}
		how := "neither version 2 nor version 1 of control groups has it"
		if mount := s.Errno(limits, "v1.mount", "ENOENT", "ENODEV", "EINVAL"); mount.State == claim.Absent {
			how += ", and " + mount.How
		}
		return claim.Sight{State: claim.Absent, How: how}
	}
	return f
}

// PidsGroupsOf2 is the pids controller in version 2.
func PidsGroupsOf2() claim.Feature { return of2("pids") }

// MemoryGroupsOf2 is the memory controller in version 2.
func MemoryGroupsOf2() claim.Feature { return of2("memory") }

func of2(controller string) claim.Feature {
	f := Controller(controller)
	f.Probe = limits
	byFacts := f.Seen
	f.Seen = func(s claim.Shown) claim.Sight {
		o, ok := s.Step(limits, controller+".where")
		switch version := o.Values["version"]; {
		case !ok:
			return byFacts(s)
		case version == "2":
			return ungrouped(s, controller, claim.Sight{State: claim.Present})
		case version == "1":
			return claim.Sight{State: claim.Absent, How: "it is in a hierarchy of version 1, " + o.Values["root"]}
		}
		return claim.Sight{State: claim.Absent, How: "no mounted hierarchy has it"}
	}
	return f
}

// PidsGroupsOf1 is the pids controller in version 1. A system that gave the controller to
// version 2 keeps it there.
func PidsGroupsOf1() claim.Feature {
	return claim.Feature{
		Name: "pids controller of control groups, version 1", Chinese: "控制组 v1 的 pids 控制器", Probe: limits,
		Seen: func(s claim.Shown) claim.Sight {
			if sight := s.Errno(limits, "v1.mount", "ENOENT", "ENODEV", "EINVAL", "EBUSY", "EPERM"); sight.State != claim.Present {
				return sight
			}
			return guarded(s, s.Errno(limits, "v1.mount", "EACCES"))
		},
	}
}

// WritableSysctl is a sysctl that the probe lowers. step is the child that does.
func WritableSysctl(name, step string) claim.Feature {
	return claim.Feature{
		Name: "writable sysctl " + name, Chinese: "可写的 sysctl " + name, Probe: limits,
		Seen: func(s claim.Shown) claim.Sight {
			if o, ok := s.Step(limits, step); ok && o.Values["absent"] != "" {
				return claim.Sight{State: claim.Absent, How: o.Values["absent"]}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// UserNamespacesOfUsers is that users without privilege can make user namespaces when no
// sysctl forbids it.
func UserNamespacesOfUsers() claim.Feature {
	return userNamespaces("user namespaces of users without privilege", "无特权用户的 user namespace", "allowed.user.clone")
}

// UserNamespacesOfRoot is that root can make user namespaces.
func UserNamespacesOfRoot() claim.Feature {
	return userNamespaces("user namespaces of root", "root 的 user namespace", "allowed.root.clone")
}

// userNamespaces sees by a step whether user namespaces can be made. A kernel without them
// says EINVAL. A security module or a filter says EPERM, EACCES or ENOSYS, and a limit that
// a namespace around this one has says ENOSPC or EUSERS.
func userNamespaces(name, chinese, step string) claim.Feature {
	return claim.Feature{
		Name: name, Chinese: chinese, Probe: limits,
		Seen: func(s claim.Shown) claim.Sight {
			step := step
			o, ok := s.Step(limits, step)
			if !ok { // an older probe asked only so
				step = "userns.plain"
				o, ok = s.Step(limits, step)
			}
			sight := s.Errno(limits, step, "EINVAL", "EPERM", "EACCES", "ENOSYS", "ENOSPC", "EUSERS")
			if ok && sight.State == claim.Present && o.Error != "" {
				return claim.Sight{State: claim.CouldNotTell, How: fmt.Sprintf("step %q of probe %s ended with %s", step, limits, o.Error)}
			}
			return sight
		},
	}
}

// UnsharedPIDNamespace is a PID namespace that root makes by unshare.
func UnsharedPIDNamespace() claim.Feature {
	return claim.Feature{
		Name: "PID namespaces", Chinese: "PID namespace", Probe: limits,
		Seen: func(s claim.Shown) claim.Sight {
			return s.Errno(limits, "deadns.unshare", "EINVAL", "EPERM", "ENOSYS", "ENOSPC")
		},
	}
}

// DeadlinePolicy is SCHED_DEADLINE for a thread of the probe. A cpuset, too little CPU time
// and a filter refuse it.
func DeadlinePolicy() claim.Feature {
	return claim.Feature{
		Name: "SCHED_DEADLINE", Chinese: "SCHED_DEADLINE", Probe: limits,
		Seen: func(s claim.Shown) claim.Sight {
			return s.Errno(limits, "deadline.set", "EINVAL", "EPERM", "EBUSY", "ENOSYS")
		},
	}
}

// QuietMoment is a moment in which no thread of others begins or ends. Without one nobody
// can count how many kernel.threads-max lets be made.
func QuietMoment() claim.Feature {
	return claim.Feature{
		Name: "moment without other threads that begin or end", Chinese: "没有其他线程创建或结束的时刻", Probe: limits,
		Seen: func(s claim.Shown) claim.Sight {
			o, ok := s.Step(limits, "threadsmax.disturbed")
			switch {
			case !ok:
				return claim.Sight{State: claim.Present}
			case slices.Contains([]string{"", "0", "1"}, o.Values["drifts"]):
				return claim.Sight{State: claim.CouldNotTell, How: fmt.Sprintf("the number of threads was wrong by the same in each of %s attempts, and nobody's threads do that", o.Values["attempts"])}
			}
			return claim.Sight{State: claim.Absent, How: fmt.Sprintf("in each of %s attempts some did", o.Values["attempts"])}
		},
	}
}

// WholeMemoryGranted is the heuristic of 5.2, by which vm.overcommit_memory 0 grants what is
// as large as memory and swap together. Before, it granted what was free or reclaimable.
func WholeMemoryGranted() claim.Feature {
	return claim.Feature{
		Name: "heuristic that compares with all memory", Chinese: "与全部内存比较的启发式策略", Probe: limits,
		Seen: func(s claim.Shown) claim.Sight {
			refused := s.Errno(limits, "overcommit.0.fits.plain", "ENOMEM")
			if first := since(5, 2); refused.State == claim.Absent && !s.Facts.Release.Less(first) {
				return claim.Sight{State: claim.Present} // it should have it
			}
			return refused
		},
	}
}

// SmallThreadsMax is a kernel.threads-max of less than 20, since 5.4 and in the stable
// kernels 4.19.80 and 5.3.6.
func SmallThreadsMax() claim.Feature {
	return claim.Feature{
		Name: "kernel.threads-max below 20", Chinese: "小于 20 的 kernel.threads-max", Probe: limits,
		Seen: func(s claim.Shown) claim.Sight {
			refused := s.Errno(limits, "threadsmax.one", "EINVAL")
			if refused.State == claim.Absent && smallSince(s.Facts.Release) {
				return claim.Sight{State: claim.Present} // it should have it
			}
			return refused
		},
	}
}

// smallSince is commit b0f53dbc4bc4 and its back-ports.
func smallSince(r release.Release) bool {
	stable := r.Major == 4 && r.Minor == 19 && r.AtLeast(4, 19, 80) || r.Major == 5 && r.Minor == 3 && r.AtLeast(5, 3, 6)
	return stable || r.AtLeast(5, 4, 0)
}
