package feature

import (
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Refused reports whether an error is one with which a policy refuses executable memory.
func Refused(name string) bool { return name == "EACCES" || name == "EPERM" }

// indifferent lists the security modules that have no say about anonymous memory: their
// hooks of mmap_file and file_mprotect look at files, or they have none (security/*).
var indifferent = []string{
	"apparmor", "bpf", "capability", "evm", "ima", "integrity", "ipe", "landlock",
	"loadpin", "lockdown", "safesetid", "tomoyo", "yama",
}

// Policy returns what may refuse executable memory on a system, or "" if nothing that may
// do so is in force. A module of a vendor that is unknown here may.
func Policy(f facts.Facts) string {
	if f.Filtered {
		return "a seccomp filter is in force"
	}
	if f.LSMs == nil {
		return "the security modules cannot be listed"
	}
	for _, module := range f.LSMs {
		switch {
		case slices.Contains(indifferent, module) || module == "selinux" && f.Permissive:
		case module == "selinux" && f.Label != "":
			return "the probes run under " + f.Confinement()
		default:
			return "the security module " + module + " is active"
		}
	}
	return ""
}

// WriteExecute is the right to memory that is writable and executable. It is absent where
// plain memory of that kind is refused and something is in force that may do so. It reads
// a step of a probe that maps plain memory.
func WriteExecute(probe, step string) claim.Feature {
	return claim.Feature{
		Name: "right to writable and executable memory", Chinese: "使用可写且可执行内存的权利", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			sight := s.Errno(probe, step, "EACCES", "EPERM")
			if sight.State != claim.Absent {
				return sight
			}
			return byPolicy(s, sight)
		},
	}
}

// ExecutableMapping is the right to map plain memory that is executable and nothing else.
// SELinux refuses it to a domain without execmem.
func ExecutableMapping() claim.Feature {
	f := WriteExecute("protection", "execute.mmap")
	f.Name, f.Chinese = "right to map executable memory", "映射可执行内存的权利"
	return f
}

// byPolicy completes what was seen of plain memory that was refused.
func byPolicy(s claim.Shown, sight claim.Sight) claim.Sight {
	policy := Policy(s.Facts)
	if policy == "" {
		policy = restricted(s)
	}
	if policy == "" {
		return claim.Sight{State: claim.Present} // refused for no reason that is seen: the check says so
	}
	sight.How += ", and " + policy
	return sight
}

// GainExecution is the right to make plain memory executable that was writable. MDWE and
// the filter of systemd's MemoryDenyWriteExecute take it away.
func GainExecution() claim.Feature {
	const probe, step = "protection", "execute.mprotect"
	return claim.Feature{
		Name: "right to make memory executable", Chinese: "使内存变为可执行的权利", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			if sight := s.Errno(probe, step, "EACCES", "EPERM"); sight.State == claim.Absent {
				return byPolicy(s, sight)
			}
			return claim.Sight{State: claim.Present} // a missing step is left to the check
		},
	}
}

// UnfilteredWriteExecute is memory that no filter refuses for being writable and executable,
// so that PR_SET_MDWE alone can.
func UnfilteredWriteExecute() claim.Feature {
	const probe, step = "mapstack", "access.plain.7"
	return claim.Feature{
		Name: "unfiltered writable and executable memory", Chinese: "未被过滤的可写且可执行内存", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			if s.Facts.Filtered && restricted(s) == "" {
				return s.Errno(probe, step, "EACCES", "EPERM")
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// restricted returns that the probes gave up executable memory by PR_SET_MDWE before they
// began, as systemd makes a service do, or "".
func restricted(s claim.Shown) string {
	for probe, step := range map[string]string{"mapstack": "mdwe.get", "protection": "mdwe"} {
		if o, ok := s.Step(probe, step); ok && o.Errno == 0 && o.Ret != "" && o.Ret != "0x0" {
			return "PR_GET_MDWE returns " + o.Ret
		}
	}
	return ""
}

// ReadImpliesExec is the right to set the personality READ_IMPLIES_EXEC. The filters of
// containers allow few personalities.
func ReadImpliesExec() claim.Feature {
	const probe, step = "mapstack", "implied.personality"
	return claim.Feature{
		Name: "right to the personality READ_IMPLIES_EXEC", Chinese: "设置 READ_IMPLIES_EXEC personality 的权利", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			if !s.Facts.Filtered {
				return claim.Sight{State: claim.Present}
			}
			return s.Errno(probe, step, "EPERM", "EACCES", "ENOSYS")
		},
	}
}

// NoExecute is a CPU that can refuse to execute memory, in use. Where the kernel's list
// of the CPU's features does not tell, the architecture has it always.
func NoExecute() claim.Feature {
	const probe, step = "mapstack", "processor"
	words := map[string]string{"amd64": "nx", "mips64le": "rixi", "s390x": "iep"}
	return claim.Feature{
		Name: "no-execute protection of the CPU", Chinese: "CPU 的禁止执行保护", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			o, ok := s.Step(probe, step)
			if !ok {
				return s.Unreported(probe, step)
			}
			if o.Values["noexec=off"] == "true" {
				return claim.Sight{State: claim.Absent, How: "the kernel was started with noexec=off"}
			}
			word, listed := words[s.Facts.Arch]
			switch value := o.Values[word]; {
			case !listed || value == "true":
				return claim.Sight{State: claim.Present}
			case value == "false":
				return claim.Sight{State: claim.Absent, How: "/proc/cpuinfo does not list it (" + word + ")"}
			}
			return claim.Sight{State: claim.CouldNotTell, How: "the features of the CPU are unknown: " + o.Unknown[word]}
		},
	}
}

// HugePages are huge pages that the probe mapstack could use.
func HugePages() claim.Feature {
	const probe, step = "mapstack", "huge"
	return claim.Feature{
		Name: "free huge pages", Chinese: "空闲的大页", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			o, ok := s.Step(probe, step)
			switch {
			case !ok:
				return s.Unreported(probe, step)
			case o.Values["absent"] != "":
				return claim.Sight{State: claim.Absent, How: o.Values["absent"]}
			case o.Values["free"] == "0":
				return claim.Sight{State: claim.Absent, How: "HugePages_Free is 0, after two were asked for where that harms nobody"}
			case o.Values["free"] == "1":
				// One is enough for one mapping after another, but another program may take it.
				if plain := s.Errno(probe, "huge.plain", "ENOMEM"); plain.State != claim.Present {
					return plain
				}
				return s.Errno(probe, "huge.stack", "ENOMEM")
			case o.Values["free"] == "":
				return claim.Sight{State: claim.CouldNotTell, How: "the number of free huge pages is unknown"}
			}
			return claim.Sight{State: claim.Present}
		},
	}
}

// DenyWriteExecute is PR_SET_MDWE, since Linux 6.3.
func DenyWriteExecute() claim.Feature {
	const probe, step = "mapstack", "mdwe.get"
	return claim.Feature{
		Name: "PR_SET_MDWE", Chinese: "PR_SET_MDWE", Since: since(6, 3), Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			if s.Facts.Filtered {
				return s.Errno(probe, step, "EINVAL", "EPERM", "ENOSYS")
			}
			return s.Errno(probe, step, "EINVAL")
		},
	}
}

// GuardRegions is MADV_GUARD_INSTALL, since Linux 6.13.
func GuardRegions() claim.Feature {
	const probe, step = "mapstack", "guard.install"
	return claim.Feature{
		Name: "MADV_GUARD_INSTALL", Chinese: "MADV_GUARD_INSTALL", Since: since(6, 13), Probe: probe,
		Seen: func(s claim.Shown) claim.Sight { return s.Errno(probe, step, "EINVAL") },
	}
}

// StrictPtrace is a Yama whose ptrace_scope a probe can set to 2. It cannot be changed
// once it is 3.
func StrictPtrace() claim.Feature {
	const name = "kernel.yama.ptrace_scope"
	f := Sysctl(name)
	seen := f.Seen
	f.Name, f.Chinese = "changeable sysctl "+name, "可更改的 sysctl "+name
	f.Seen = func(s claim.Shown) claim.Sight {
		if scope, known := s.Facts.Sysctl(name); known && strings.TrimSpace(scope) == "3" {
			return claim.Sight{State: claim.Absent, How: name + " is 3, which cannot be undone"}
		}
		if o, _ := s.Step("protection", "yama set"); denied(o.Unknown["scope"]) {
			return claim.Sight{State: claim.Absent, How: o.Unknown["scope"]}
		}
		return seen(s)
	}
	return f
}

// Lockable is memory that root may lock (CAP_IPC_LOCK).
func Lockable() claim.Feature {
	const ipcLock = 14 // capabilities(7), include/uapi/linux/capability.h
	return Capability("CAP_IPC_LOCK", ipcLock)
}

// Forked is a process that a probe could stop in its first system call, as it does in a step.
func Forked(probe, step string) claim.Feature {
	return claim.Feature{
		Name: "view of a process in its first system call (/proc/thread-self/syscall)", Chinese: "对进程首个系统调用的观察（/proc/thread-self/syscall）", Probe: probe,
		Seen: func(s claim.Shown) claim.Sight {
			o, ok := s.Step(probe, step)
			if why := o.Unknown["child"]; ok && strings.Contains(why, "/proc/thread-self/syscall") {
				return claim.Sight{State: claim.Absent, How: why}
			}
			return seenStep(s, ok, probe, step)
		},
	}
}

func seenStep(s claim.Shown, ok bool, probe, step string) claim.Sight {
	if !ok {
		return s.Unreported(probe, step)
	}
	return claim.Sight{State: claim.Present}
}
