package threadlimits

import (
	"os"
	"strings"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// defaults records the limits that the kernel derived from the size of memory at
// boot.
func defaults(p *probe.P) {
	o := p.Observe("defaults")
	for key, path := range map[string]string{
		"threads-max": "/proc/sys/kernel/threads-max", "pid_max": "/proc/sys/kernel/pid_max",
		"possible": "/sys/devices/system/cpu/possible",
	} {
		b, err := os.ReadFile(path)
		if err != nil {
			o.Unknown(key, err.Error())
			continue
		}
		o.Set(key, strings.TrimSpace(string(b)))
	}
	// The limit of the first process is used, because this one may have been given
	// another.
	limits, err := os.ReadFile("/proc/1/limits")
	if err != nil {
		o.Unknown("nproc", err.Error())
	}
	for _, line := range strings.Split(string(limits), "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "processes" {
			o.Set("nproc", f[2]).Set("nproc.max", f[3])
		}
	}
	if kib, err := limit.Number("/proc/meminfo", "MemTotal"); err != nil {
		o.Unknown("memtotal", err.Error())
	} else {
		o.Set("memtotal", kib)
	}
	o.Emit()
}
