package feature

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Probes of the suite goruntime.
const (
	newosproc = "newosproc"
	variants  = "variants"
)

// TracedCalls is what a tracer needs to see the calls of another program:
// PTRACE_GET_SYSCALL_INFO of Linux 5.3, or an architecture whose registers the tracer
// knows. No version promises it, because an architecture may have neither.
func TracedCalls() claim.Feature {
	return claim.Feature{
		Name: "description of traced calls", Chinese: "对被跟踪系统调用的描述", Probe: newosproc,
		Seen: func(s claim.Shown) claim.Sight {
			const step = "nproc.clone"
			o, told := s.Step(newosproc, step)
			if !told {
				return s.Unreported(newosproc, step)
			}
			if why := Untraced(o, "refused"); why != "" {
				return absent(newosproc, o, "the kernel cannot be asked: "+why)
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// Untraced returns why a tracer could not read calls on this kernel, or "". A value that
// is unknown for another reason is a fault of the probe.
func Untraced(o wire.Observation, key string) string {
	if why := o.Unknown[key]; strings.HasPrefix(why, "PTRACE_GET_SYSCALL_INFO") {
		return why
	}
	return ""
}

// Grouped is a controller of control groups, as the probe of threads finds it.
func Grouped(controller string) claim.Feature {
	f := Controller(controller)
	offered := f.Seen
	f.Probe = newosproc
	f.Seen = func(s claim.Shown) claim.Sight {
		o, told := s.Step(newosproc, controller)
		if !told {
			return offered(s)
		}
		if why := Untried(o); why != "" {
			return absent(newosproc, o, why)
		}
		return claim.Sight{State: claim.Present}
	}
	return f
}

// Filters is CONFIG_SECCOMP_FILTER, which a configuration may leave out.
func Filters() claim.Feature {
	return claim.Feature{
		Name: "seccomp filters", Chinese: "seccomp 过滤器", Probe: newosproc,
		Seen: func(s claim.Shown) claim.Sight {
			// include/linux/seccomp.h: EINVAL without CONFIG_SECCOMP_FILTER.
			return s.Errno(newosproc, "seccomp EAGAIN.limit", "ENOSYS", "EINVAL")
		},
	}
}

// Injection is what poc/inject needs: seccomp filters, and calls that can be changed.
func Injection() claim.Feature {
	return claim.Feature{
		Name: "calls that an injector can change", Chinese: "可供注入器更改的系统调用", Probe: variants,
		Seen: func(s claim.Shown) claim.Sight {
			const step = "stack-eperm.stock"
			o, told := s.Step(variants, step)
			if !told {
				return s.Unreported(variants, step)
			}
			if text, said := o.Values["stderr"]; said && o.Values["exit"] == "70" && cannotInject(text) {
				return absent(variants, o, strings.TrimSpace(text))
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// cannotInject reports whether an injector says that the kernel keeps it from its work.
// Other words are faults of the injector, or of the rights that it has.
func cannotInject(text string) bool {
	filters := strings.Contains(text, "install the seccomp filter") && (strings.Contains(text, " ENOSYS;") || strings.Contains(text, " EINVAL;"))
	return filters || strings.Contains(text, "PTRACE_GET_SYSCALL_INFO") || strings.Contains(text, "does not know the registers")
}

// Standing is CONFIG_HAVE_ARCH_TRACEHOOK, with which /proc shows where a thread stands.
func Standing() claim.Feature {
	return claim.Feature{
		Name: "stack pointers of threads in /proc", Chinese: "/proc 中的线程栈指针", Probe: variants,
		Seen: func(s claim.Shown) claim.Sight {
			const step = "none.stock.generation 0"
			o, told := s.Step(variants, step)
			if !told {
				return s.Unreported(variants, step)
			}
			if why := o.Unknown["found"]; strings.HasSuffix(why, "no such file or directory") {
				return absent(variants, o, why)
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

func absent(probe string, o wire.Observation, why string) claim.Sight {
	return claim.Sight{State: claim.Absent, How: fmt.Sprintf("%s (step %q of probe %s)", why, o.Step, probe)}
}

// GoNames is a Go runtime that can name its memory.
func GoNames() claim.Feature {
	const first = 25
	return claim.Feature{
		Name: "Go runtime that names its memory", Chinese: "会为内存命名的 Go 运行时",
		Seen: func(s claim.Shown) claim.Sight {
			var major, minor int
			if _, err := fmt.Sscanf(s.Facts.Go, "go%d.%d", &major, &minor); err != nil {
				return claim.Sight{State: claim.CouldNotTell, How: fmt.Sprintf("the version of the toolchain is %q", s.Facts.Go)}
			}
			if major == 1 && minor < first {
				return claim.Sight{State: claim.Absent, How: fmt.Sprintf("the probes were built with %s, and Go names memory from 1.%d on", s.Facts.Go, first)}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}
