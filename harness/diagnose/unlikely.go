package diagnose

import (
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// unlikely judges an error that the kernel itself does not give to such a call: a filter
// gives it, or a security module. Only when both are known not to, it is the kernel.
func unlikely(e Evidence) []Cause {
	f, s := e.Failure, e.State
	filters := s.Seccomp.Mode == census.Known(0) || e.Filters.Read
	if s.PID == 0 {
		return unseen(e)
	}
	if !filters && s.Seccomp.Mode.State == census.Exact {
		return nil // unreadFilters names them
	}
	switch modules := refusing(s.Modules); {
	case !filters:
		return []Cause{{ID: "security-module", Certainty: MayBe, Where: "seccomp",
			Why: say("no limit that was read gives %[1]s to this call; a seccomp filter or a security module may. Whether the program has a filter cannot be seen from here",
				"已读取的限制都不会对该调用返回 %[1]s；可能是 seccomp 过滤器或安全模块所为。从这里无法得知程序是否有过滤器", f.name()),
			Raise: []Remedy{run(say("to see what it says", "查看其记录"), "dmesg | grep -i -e denied -e audit -e seccomp")}}}
	case len(s.Modules) == 0:
		return []Cause{{ID: "security-module", Certainty: MayBe, Where: "/sys/kernel/security/lsm",
			Why: say("no limit that was read gives %[1]s to this call, and no filter; a security module may refuse it. Whether one is at work cannot be seen, because securityfs is not mounted",
				"已读取的限制和过滤器都不会对该调用返回 %[1]s；可能是安全模块拒绝了它。securityfs 没有挂载，无法得知是否有安全模块", f.name()),
			Raise: []Remedy{
				run(say("to see the modules, as root", "查看安全模块，需要 root"), "mount -t securityfs securityfs /sys/kernel/security"),
				run(say("to see what it says", "查看其记录"), "dmesg | grep -i -e denied -e audit"),
			}}}
	case len(modules) > 0:
		return []Cause{{ID: "security-module", Certainty: MayBe, Where: "/sys/kernel/security/lsm",
			Why:   say("no limit gives %[1]s to this call, and no filter; a security module may refuse it: %[2]s is active", "限制和过滤器都不会对该调用返回 %[1]s；可能是安全模块拒绝了它：%[2]s 正在生效", f.name(), strings.Join(modules, ", ")),
			Raise: []Remedy{{Command: records[modules[0]], When: say("to see what it says", "查看其记录")}}}}
	}
	return []Cause{{ID: "kernel-differs", Certainty: MayBe,
		Why: say("no limit gives %[1]s to this call, no filter, and no security module of this kernel (%[2]s): the kernel (%[3]s) does otherwise than Linux, or something was changed in the meantime",
			"限制、过滤器和该内核的安全模块（%[2]s）都不会对该调用返回 %[1]s：该内核（%[3]s）的行为与 Linux 不同，或期间有所改变", f.name(), strings.Join(s.Modules, ", "), s.Kernel)}}
}

// records has the security modules that can refuse a task or memory, each with the
// command that shows its refusals. The others (capability, yama, lockdown, landlock,
// integrity) do not look at such calls.
var records = map[string]string{
	"selinux":  "ausearch -m avc -ts recent",
	"apparmor": "dmesg | grep -i apparmor",
	"smack":    "dmesg | grep -i smack",
	"tomoyo":   "dmesg | grep -i tomoyo",
	"bpf":      "bpftool prog list",
}

// refusing returns those of the modules that can refuse a task or memory.
func refusing(modules []string) []string {
	return slices.DeleteFunc(slices.Clone(modules), func(m string) bool { return records[m] == "" })
}
