package threadlimits

import (
	"os"
	"strings"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// noLimit is RLIM64_INFINITY, the same on every architecture (include/uapi/linux/resource.h).
const noLimit = ^uint64(0)

// finite is a limit that nothing here reaches.
const finite = 0x1234000

// infinity observes how no limit looks, and the older call for limits. RLIMIT_CORE
// concerns nothing else here.
func infinity(p *probe.P) {
	core := p.Kernel.Rlimit.Core
	set := func(step string, limit sys.Rlimit) bool {
		o := p.Observe(step)
		defer o.Emit()
		return o.Returned("prlimit64(RLIMIT_CORE, new)", 0, p.Kernel.Prlimit64(core, &limit, nil))
	}
	if !set("set", sys.Rlimit{Current: noLimit, Max: noLimit}) {
		return
	}
	o := p.Observe("get")
	var got sys.Rlimit
	if o.Returned("prlimit64(RLIMIT_CORE)", 0, p.Kernel.Prlimit64(core, nil, &got)) {
		o.Set("current", got.Current).Set("max", got.Max)
	}
	if b, err := os.ReadFile("/proc/self/limits"); err != nil {
		o.Unknown("shown", err.Error())
	} else {
		o.Set("shown", shownOf(string(b), "Max core file size"))
	}
	o.Emit()

	if p.Kernel.Syscall.Getrlimit == 0 || !set("set finite", sys.Rlimit{Current: finite, Max: noLimit}) {
		return
	}
	o = p.Observe("getrlimit")
	var old [2]uint64
	_, _, errno := syscall.RawSyscall(uintptr(p.Kernel.Syscall.Getrlimit), uintptr(core), uintptr(unsafe.Pointer(&old)), 0)
	if o.Returned("getrlimit(RLIMIT_CORE)", 0, errno) {
		o.Set("current", old[0])
	}
	o.Emit()
}

// shownOf returns the soft and the hard limit of a name in /proc/PID/limits.
func shownOf(text, name string) string {
	for _, line := range strings.Split(text, "\n") {
		if f := strings.Fields(strings.TrimPrefix(line, name)); strings.HasPrefix(line, name) && len(f) > 1 {
			return f[0] + " " + f[1]
		}
	}
	return ""
}
