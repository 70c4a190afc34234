package turns

import (
	"os"
	"strconv"
	"strings"
	"time"

	judged "github.com/mapstack/conformance/harness/judge/load"
)

// Watch begins to look at this host. The returned function says how busy it was since then. A
// file that cannot be read counts as no load.
func Watch() func() judged.HostLoad {
	began, before := time.Now(), busyTicks()
	return func() judged.HostLoad {
		average, _, _ := strings.Cut(text("/proc/loadavg"), " ")
		h := judged.HostLoad{}
		h.LoadAverage, _ = strconv.ParseFloat(average, 64)
		if spent := time.Since(began).Seconds(); spent > 0 {
			h.BusyCores = max(0, busyTicks()-before) / ticksPerSecond / spent
		}
		return h
	}
}

// ticksPerSecond is USER_HZ of every architecture that mapstack runs on.
const ticksPerSecond = 100

func text(file string) string {
	b, _ := os.ReadFile(file) // see Watch
	return string(b)
}

// busyTicks returns for how many ticks the CPUs of this host have been busy: the first line of
// /proc/stat without the time in which they were idle, or which they ran for guests of their own,
// which is in that of users too (proc(5)).
func busyTicks() float64 { return busyIn(text("/proc/stat")) }

func busyIn(stat string) (busy float64) {
	line, _, _ := strings.Cut(stat, "\n")
	for i, word := range strings.Fields(line) {
		// cpu user nice system idle iowait irq softirq steal guest guest_nice
		if i == 0 || i == 4 || i == 5 || i > 7 {
			continue
		}
		n, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return 0
		}
		busy += n
	}
	return busy
}
