package load

import (
	"fmt"
	"strconv"
	"strings"
)

// procs are the values of GOMAXPROCS that loads have.
var procs = []int{1, 2, 4, 8}

// mostCPUs bounds what a target says of its CPUs.
const mostCPUs = 1 << 20

// said returns a number of CPUs, or of thousandths of one, that a target says of itself; false if
// it says none.
func (t Target) said(key string) (int, bool) {
	n, err := strconv.Atoi(t.Machine[key])
	return n, err == nil && n > 0 && n <= 1000*mostCPUs
}

// gomaxprocsDefault compares GOMAXPROCS, which nobody set, with the affinity mask and with the
// quota of the control groups. Go counts the quota since 1.25: rounded up, and as two at least.
func gomaxprocsDefault(t Target) (Answer, Text) {
	is, counted := t.said("gomaxprocs")
	mask, known := t.said("cpus.allowed")
	if set := t.Machine["gomaxprocs.env"]; set != "" {
		return Open, Text{"the environment sets GOMAXPROCS to " + set, "环境变量将 GOMAXPROCS 设为 " + set}
	}
	if !counted || !known {
		return Open, Text{"the program does not say how many CPUs it may use", "程序没有说明可使用多少个 CPU"}
	}
	seen := Text{fmt.Sprintf("GOMAXPROCS %d, %d CPUs in the mask", is, mask), fmt.Sprintf("GOMAXPROCS 为 %d，掩码中有 %d 个 CPU", is, mask)}
	may := mask
	if quota, limited := t.said("cpus.quota"); limited {
		seen.English += fmt.Sprintf(", time of %s CPUs in the control group", Digits(float64(quota)/1000))
		seen.Chinese += fmt.Sprintf("，控制组允许 %s 个 CPU 的时间", Digits(float64(quota)/1000))
		may = min(mask, max(2, (quota+999)/1000))
	}
	if is == mask || is == may {
		return Right, seen
	}
	return Wrong, seen
}

// stopping is how many threads may be in state R besides those that run Go code: the runtime's
// monitor, and one that has just given up its P and is on its way to sleep.
const stopping = 2

// gomaxprocsRunning looks at the threads of goroutines that only compute. The kernel shows a
// thread that waits for a CPU as one that runs, so that the count holds on any number of CPUs.
func gomaxprocsRunning(t Target) (Answer, Text) {
	var found []string
	answer := Right
	for _, n := range procs {
		name := fmt.Sprintf("spin-%d", n)
		var all []float64
		if r := t.Run(name); r != nil {
			for _, s := range r.Samples {
				if s.RunningMost != nil {
					all = append(all, *s.RunningMost)
				}
			}
		}
		if len(all) == 0 {
			return Open, missing(name)
		}
		_, largest := ends(all)
		found = append(found, fmt.Sprintf("%d: %.0f", n, largest))
		switch most := float64(n + stopping); {
		case median(all) > most:
			answer = Wrong
		case answer == Right && (largest < float64(n) || largest > most):
			answer = Open // the limit was never reached, or once passed
		}
	}
	list := strings.Join(found, ", ")
	return answer, Text{
		fmt.Sprintf("threads of 32 goroutines that ran or waited for a CPU at once, by GOMAXPROCS: %s; up to %d of them run no Go code", list, stopping),
		fmt.Sprintf("32 个 goroutine 同时运行或等待 CPU 的线程数（按 GOMAXPROCS）：%s；其中至多 %d 个不运行 Go 代码", list, stopping),
	}
}

// gomaxprocsSyscalls compares the threads of goroutines that wait in the kernel with GOMAXPROCS.
func gomaxprocsSyscalls(t Target) (Answer, Text) {
	more := t.values("syscalls", func(s Sample) float64 { return float64(s.ThreadsMost - s.ThreadsIdle) })
	if len(more) == 0 {
		return Open, missing("syscalls")
	}
	limit := t.Run("syscalls").Samples[0].GOMAXPROCS
	made := median(more)
	seen := Text{
		fmt.Sprintf("%.0f more threads for %d goroutines that wait in the kernel, with GOMAXPROCS %d", made, sleeping, limit),
		fmt.Sprintf("GOMAXPROCS 为 %d 时，%d 个在内核中等待的 goroutine 多出 %.0f 个线程", limit, sleeping, made),
	}
	if made > float64(limit) {
		return Right, seen
	}
	return Open, seen // with so many CPUs, the threads may be those that GOMAXPROCS allows
}

// gomaxprocs says how the worker pool's rate depends on GOMAXPROCS. A target with fewer CPUs says
// nothing of what more of them would do, and an emulated one has none.
func gomaxprocs(t Target) (Answer, Text) {
	one := t.values("procs-1", Sample.Rate)
	if len(one) == 0 {
		return Open, missing("procs-1", "procs-2", "procs-4", "procs-8")
	}
	cpus := t.Run("procs-1").Samples[0].CPUs
	var found, lacking []string
	for _, n := range procs[1:] {
		if all := t.values(fmt.Sprintf("procs-%d", n), Sample.Rate); len(all) > 0 {
			found = append(found, fmt.Sprintf("%d: ×%s", n, Ratio(all, one).In()))
			if n > cpus || t.Emulated() {
				lacking = append(lacking, fmt.Sprint(n))
			}
		}
	}
	if len(found) == 0 {
		return Open, missing("procs-1", "procs-2", "procs-4", "procs-8")
	}
	seen := Text{
		fmt.Sprintf("operations per second against GOMAXPROCS 1 (CPUs of the target: %d): %s", cpus, strings.Join(found, ", ")),
		fmt.Sprintf("与 GOMAXPROCS 为 1 时相比的每秒操作数（目标的 CPU 数：%d）：%s", cpus, strings.Join(found, "，")),
	}
	if len(lacking) > 0 {
		seen.English += fmt.Sprintf("; what %s CPUs make of it takes a machine that has them", strings.Join(lacking, " or "))
		seen.Chinese += fmt.Sprintf("；要知道 %s 个 CPU 时如何，需要有这么多 CPU 的机器", strings.Join(lacking, " 或 "))
	}
	return Measured, seen
}
