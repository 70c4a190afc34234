package facts

import (
	"fmt"
	"os"
	"strings"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// limits observes the resource limits of this process as NAME.current and NAME.max.
// They are in the units of the limit, or "unlimited".
func limits(p *probe.P) {
	o := p.Observe("limits")
	for _, limit := range p.Kernel.Rlimit.Named() {
		if !strings.HasPrefix(limit.Name, "RLIMIT_") {
			continue
		}
		var l sys.Rlimit
		if errno := p.Kernel.Prlimit64(limit.Value, nil, &l); errno != 0 {
			reason := fmt.Sprintf("prlimit64: errno %d %s", int(errno), p.Kernel.ErrnoName(int(errno)))
			o.Unknown(limit.Name+".current", reason).Unknown(limit.Name+".max", reason)
			continue
		}
		o.Set(limit.Name+".current", amount(l.Current)).Set(limit.Name+".max", amount(l.Max))
	}
	o.Emit()
}

func amount(n uint64) interface{} {
	if n == ^uint64(0) {
		return "unlimited"
	}
	return n
}

// sysctls observes those that decide what mmap and clone may do. A name that is
// neither a value nor unknown does not exist on this kernel.
func sysctls(p *probe.P) {
	o := p.Observe("sysctl")
	for _, name := range []string{
		"kernel.threads-max", "kernel.pid_max", "kernel.randomize_va_space",
		"kernel.unprivileged_userns_clone", // Debian only
		"kernel.yama.ptrace_scope", "kernel.seccomp.actions_avail", "kernel.tainted",
		"user.max_user_namespaces",
		"vm.max_map_count", "vm.mmap_min_addr", "vm.legacy_va_layout",
		"vm.overcommit_memory", "vm.overcommit_ratio", "vm.nr_hugepages",
	} {
		file(o, name, "/proc/sys/"+strings.Replace(name, ".", "/", -1))
	}
	o.Emit()
}

// file records the content of a small file, trimmed. A file that does not exist is
// neither a value nor unknown.
func file(o *probe.Obs, key, path string) { content(o, key, path, strings.TrimSpace) }

// content records what clean leaves of a small file.
func content(o *probe.Obs, key, path string, clean func(string) string) {
	b, err := os.ReadFile(path)
	switch {
	case os.IsNotExist(err):
	case err != nil:
		o.Unknown(key, err.Error())
	default:
		o.Set(key, short(clean(string(b))))
	}
}

// short cuts a text so that the observation fits in a frame.
func short(s string) string {
	const limit = 1 << 10
	if len(s) > limit {
		return s[:limit]
	}
	return s
}
