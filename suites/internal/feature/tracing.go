package feature

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/suites/internal/claim"
)

// SeccompFilters are the filters of seccomp(2), CONFIG_SECCOMP_FILTER. The call answers
// ENOSYS without CONFIG_SECCOMP, and EINVAL with that alone.
func SeccompFilters() claim.Feature {
	return claim.Feature{
		Name: "seccomp filters", Chinese: "seccomp 过滤器", Probe: tracing,
		Seen: func(s claim.Shown) claim.Sight {
			const step = "threads.filter"
			// This sysctl comes with the filters, so EINVAL beside it is a fault.
			if _, known := s.Facts.Sysctl("kernel.seccomp.actions_avail"); known {
				return filtered(s, tracing, step)
			}
			return s.Errno(tracing, step, "ENOSYS", "EINVAL")
		},
	}
}

// SeccompListener is SECCOMP_FILTER_FLAG_NEW_LISTENER of seccomp(2), since Linux 5.0 for
// kernels with seccomp filters.
func SeccompListener() claim.Feature {
	return claim.Feature{
		Name: "seccomp listeners", Chinese: "seccomp 监听者", Since: since(5, 0), Probe: tracing,
		Seen: func(s claim.Shown) claim.Sight {
			return s.Errno(tracing, "listener.filter", "ENOSYS", "EINVAL")
		},
	}
}

// PidfdGetfd is pidfd_getfd(2), since Linux 5.6. The probe asks for it with the
// descriptor of a listener.
func PidfdGetfd() claim.Feature {
	return claim.Feature{
		Name: "pidfd_getfd", Chinese: "pidfd_getfd", Since: since(5, 6), Probe: tracing,
		Seen: func(s claim.Shown) claim.Sight {
			// Without a listener there is nothing to fetch, and the check says why.
			if o, ok := s.Step(tracing, "listener.filter"); ok && o.Errno != 0 {
				return claim.Sight{State: claim.Present}
			}
			return filtered(s, tracing, "listener.getfd")
		},
	}
}

// Ptrace is the right to trace a child. Yama's ptrace_scope 3 and the filters of
// containers take it away.
func Ptrace() claim.Feature {
	return claim.Feature{
		Name: "tracing with ptrace", Chinese: "ptrace 跟踪", Probe: tracing,
		Seen: func(s claim.Shown) claim.Sight {
			const step = "traced.start"
			o, ok := s.Step(tracing, step)
			if !ok {
				return s.Unreported(tracing, step)
			}
			if why := o.Values["error"]; strings.HasSuffix(why, "operation not permitted") {
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("a traced child cannot be started: %s (step %q of probe %s)", why, step, tracing)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// SyscallInfo is PTRACE_GET_SYSCALL_INFO, since Linux 5.3. ptrace answers EIO to requests
// that it does not know.
func SyscallInfo() claim.Feature {
	return claim.Feature{
		Name: "PTRACE_GET_SYSCALL_INFO", Chinese: "PTRACE_GET_SYSCALL_INFO", Since: since(5, 3), Probe: tracing,
		Seen: func(s claim.Shown) claim.Sight { return s.Errno(tracing, "traced.entry", "EIO") },
	}
}

// SetSyscallInfo is PTRACE_SET_SYSCALL_INFO, since Linux 6.16.
func SetSyscallInfo() claim.Feature {
	return claim.Feature{
		Name: "PTRACE_SET_SYSCALL_INFO", Chinese: "PTRACE_SET_SYSCALL_INFO", Since: since(6, 16), Probe: tracing,
		Seen: func(s claim.Shown) claim.Sight {
			// Without the other request the tracer does not find the call to change.
			if get := SyscallInfo().Seen(s); get.State != claim.Present {
				return get
			}
			return s.Errno(tracing, "traced.set", "EIO")
		},
	}
}

// Tracefs is the file system tracefs. A kernel without tracepoints does not know its
// name, and mount answers ENODEV. Root of a user namespace may not mount it: EPERM. Nor may
// a program that a security module confines.
func Tracefs() claim.Feature {
	return claim.Feature{
		Name: "mountable file system tracefs", Chinese: "可挂载的文件系统 tracefs", Probe: tracing,
		Seen: func(s claim.Shown) claim.Sight {
			const step = "tracefs.mount"
			// The number of the first user namespace is the same on every system
			// (USER_NS_INIT_INO, include/uapi/linux/nsfs.h).
			const first = "user:[4026531837]"
			o, _ := s.Step(tracing, step)
			inside := o.Values["namespace"]
			if inside == "" || inside == first {
				if sight := s.Errno(tracing, step, "ENODEV"); sight.State != claim.Present {
					return sight
				}
				return guarded(s, s.Errno(tracing, step, "EACCES", "EPERM"))
			}
			sight := s.Errno(tracing, step, "ENODEV", "EPERM")
			if sight.State == claim.Absent && o.Error == "EPERM" {
				sight.How += ", and the probes are in another user namespace than the machine's first: " + inside
			}
			return sight
		},
	}
}

// filtered is Errno for a call that the seccomp filter of a container may refuse too.
func filtered(s claim.Shown, probe, step string) claim.Sight {
	if s.Facts.Filtered {
		return s.Errno(probe, step, "ENOSYS", "EPERM")
	}
	return s.Errno(probe, step, "ENOSYS")
}
