package feature

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// cloneflags is the probe that asks clone and clone3.
const cloneflags = "cloneflags"

// Clone3 is the call clone3(2), since Linux 5.3. A libc falls back to clone on ENOSYS. A
// container's seccomp filter may answer that, or EPERM.
func Clone3() claim.Feature {
	const step = "dry.clone3 process"
	return claim.Feature{
		Name: "clone3", Chinese: "clone3", Since: since(5, 3), Probe: cloneflags,
		Later: map[string]release.Release{"alpha": since(6, 12)}, // arch/alpha/kernel/syscalls/syscall.tbl
		Seen: func(s claim.Shown) claim.Sight {
			sight := s.Errno(cloneflags, step, "ENOSYS")
			if sight.State == claim.Present && s.Facts.Filtered {
				sight = s.Errno(cloneflags, step, "ENOSYS", "EPERM")
			}
			return sight
		},
	}
}

// SetTID is the list of thread IDs in clone3's struct, its second version, since Linux
// 5.5. To a kernel that has only the first version the list is unknown content: E2BIG.
func SetTID() claim.Feature {
	return ofClone3("set_tid of clone3", "clone3 的 set_tid", since(5, 5), "dry.clone3 set_tid without size", "E2BIG")
}

// ClearSighand is CLONE_CLEAR_SIGHAND, since Linux 5.5.
func ClearSighand() claim.Feature {
	return ofClone3("CLONE_CLEAR_SIGHAND", "CLONE_CLEAR_SIGHAND", since(5, 5), "dry.clone3 clear_sighand", "EINVAL")
}

// NewTime is CLONE_NEWTIME in the flags of clone3. The flag came with Linux 5.6, but clone3
// took it for a signal until "fork: allow CLONE_NEWTIME in clone3 flags" (6.3), which later
// releases of 5.10 and 6.1 have too. No configuration leaves it out: the flag is checked
// before anybody asks whether there are time namespaces.
func NewTime() claim.Feature {
	return ofClone3("CLONE_NEWTIME of clone3", "clone3 的 CLONE_NEWTIME", since(6, 3), "dry.clone3 newtime", "EINVAL")
}

// IntoCgroup is CLONE_INTO_CGROUP, with the third version of clone3's struct, since Linux
// 5.7.
func IntoCgroup() claim.Feature {
	return ofClone3("CLONE_INTO_CGROUP", "CLONE_INTO_CGROUP", since(5, 7), "dry.clone3 into_cgroup", "EINVAL")
}

// ofClone3 is a part of clone3, which is absent where the whole call is.
func ofClone3(name, chinese string, first release.Release, step, absent string) claim.Feature {
	call := Clone3()
	later := map[string]release.Release{}
	for goarch, version := range call.Later {
		if first.Less(version) {
			later[goarch] = version
		}
	}
	return claim.Feature{
		Name: name, Chinese: chinese, Since: first, Later: later, Probe: cloneflags,
		Seen: func(s claim.Shown) claim.Sight {
			if sight := call.Seen(s); sight.State != claim.Present {
				return sight
			}
			return s.Errno(cloneflags, step, absent)
		},
	}
}

// PidFD is CLONE_PIDFD, since Linux 5.2. Before, clone ignores the bit. A kernel that
// refuses what excludes CLONE_PIDFD knows it. One that refuses nothing is asked for a
// descriptor.
func PidFD() claim.Feature {
	const step = "pidfd of a child"
	return claim.Feature{
		Name: "CLONE_PIDFD", Chinese: "CLONE_PIDFD", Since: since(5, 2), Probe: cloneflags,
		Seen: func(s claim.Shown) claim.Sight {
			for _, excluded := range []string{"dry.pidfd with detached", "dry.pidfd with parent_settid"} {
				if o, ok := s.Step(cloneflags, excluded); ok && o.Error == "EINVAL" {
					return claim.Sight{State: claim.Present}
				}
			}
			o, ok := s.Step(cloneflags, step)
			switch stored, told := o.Values["stored"]; {
			case !ok || !told:
				return claim.Sight{State: claim.CouldNotTell, How: fmt.Sprintf("probe %s did not report what step %q stored", cloneflags, step)}
			case stored == "false":
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("%s makes a child and stores no descriptor (step %q of probe %s)", o.Call, step, cloneflags)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// Unfiltered is a call whose answers come from the kernel. A container's seccomp filter
// refuses what it does not want with one of the errors.
func Unfiltered(call, step string, errnos ...string) claim.Feature {
	return claim.Feature{
		Name: "unfiltered " + call, Chinese: "未被过滤的 " + call, Probe: cloneflags,
		Seen: func(s claim.Shown) claim.Sight {
			sight := s.Errno(cloneflags, step, errnos...)
			switch {
			case sight.State == claim.Absent && !s.Facts.Filtered:
				return claim.Sight{State: claim.Present}
			case sight.State == claim.Absent:
				sight.How += ", and a seccomp filter is in force"
			}
			return sight
		},
	}
}

// NewPIDNamespace is the right and the means to have children in another PID namespace.
func NewPIDNamespace() claim.Feature {
	return claim.Feature{
		Name: "PID namespaces", Chinese: "PID 命名空间", Probe: cloneflags,
		Seen: func(s claim.Shown) claim.Sight {
			errnos := []string{"EINVAL", "ENOSPC"} // CONFIG_PID_NS=n; user.max_pid_namespaces
			const sysAdmin = 21
			if may, known := s.Facts.Capable(sysAdmin); s.Facts.Filtered || known && !may {
				errnos = append(errnos, "EPERM")
			}
			return s.Errno(cloneflags, "newpid.unshare", errnos...)
		},
	}
}

// HeldExecve is an execve that waits until it is let go. A lease on the interpreter of a
// script holds it. The system must have file leases, on the file system of temporary files
// too: tmpfs of Linux 4.19 has none.
func HeldExecve() claim.Feature {
	return claim.Feature{
		Name: "lease that holds an execve", Chinese: "可阻塞 execve 的文件租约", Probe: cloneflags,
		Seen: func(s claim.Shown) claim.Sight {
			for _, step := range []string{"exec.lease", "exec.execve"} {
				o, ok := s.Step(cloneflags, step)
				switch why, unknown := o.Unknown["ret"]; {
				case !ok:
					return s.Unreported(cloneflags, step)
				case unknown:
					return claim.Sight{State: claim.Absent, How: fmt.Sprintf("it could not be set up: %s (step %q of probe %s)", why, step, cloneflags)}
				case step == "exec.lease" && o.Errno != 0:
					return claim.Sight{State: claim.Absent, How: fmt.Sprintf("%s answers %s (step %q of probe %s)", o.Call, o.Error, step, cloneflags)}
				}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// NewGroup is a control group of version 2 that the probe can make for a child.
func NewGroup() claim.Feature {
	const step = "clone3.group"
	return claim.Feature{
		Name: "control group of version 2 for a child", Chinese: "可供子进程使用的第 2 版控制组", Probe: cloneflags,
		Seen: func(s claim.Shown) claim.Sight {
			o, ok := s.Step(cloneflags, step)
			switch why, unknown := o.Unknown["ret"]; {
			case !ok:
				return s.Unreported(cloneflags, step)
			case unknown:
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("%s (step %q of probe %s)", why, step, cloneflags)}
			case o.Errno != 0:
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("%s answers %s (step %q of probe %s)", o.Call, o.Error, step, cloneflags)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// ThreadRegister is the right to look at the thread register of a child with ptrace. Yama's
// ptrace_scope 3 and the filters of containers take it away.
func ThreadRegister(step string) claim.Feature {
	return claim.Feature{
		Name: "right to trace a child", Chinese: "跟踪子进程的权利", Probe: cloneflags,
		Seen: func(s claim.Shown) claim.Sight {
			o, ok := s.Step(cloneflags, step)
			switch why := o.Unknown["register"]; {
			case !ok:
				return s.Unreported(cloneflags, step)
			case strings.HasSuffix(why, "operation not permitted"):
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("%s (step %q of probe %s)", why, step, cloneflags)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}
