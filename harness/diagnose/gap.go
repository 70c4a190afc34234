package diagnose

import (
	"slices"

	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// Gap is something that was not watched, or was changed by the watch; see watch.Gap.
type Gap struct {
	PID    int          `json:"pid"`
	Reason watch.Reason `json:"reason"`
	Detail string       `json:"detail,omitempty"`
}

// blind reports whether something was not watched.
func blind(gaps []Gap) bool {
	return slices.ContainsFunc(gaps, func(g Gap) bool {
		return slices.Contains([]watch.Reason{watch.ForeignABI, watch.Before, watch.Left, watch.Untraced, watch.Lost}, g.Reason)
	})
}

// gaps tells what was not watched, each kind once.
func (r *Report) gaps() (t Text) {
	told := map[watch.Reason]bool{}
	for _, g := range r.Gaps {
		if !told[g.Reason] {
			told[g.Reason] = true
			t = t.and(g.sentence())
		}
	}
	return t
}

func (g Gap) sentence() Text {
	switch g.Reason {
	case watch.ForeignABI:
		return say("The calls of process %[1]d were not watched: it is a program of another ABI (%[2]s).", "进程 %[1]d 的调用未被跟踪：它属于另一种 ABI（%[2]s）。", g.PID, g.Detail)
	case watch.Before:
		return say("Process %[1]d, a child from before, was not watched: mapstack diagnose --pid %[1]d.", "之前已存在的子进程 %[1]d 未被跟踪：mapstack diagnose --pid %[1]d。", g.PID)
	case watch.Left:
		return say("Process %[1]d goes on, and is no longer watched: mapstack diagnose --pid %[1]d.", "进程 %[1]d 仍在运行，但不再被跟踪：mapstack diagnose --pid %[1]d。", g.PID)
	case watch.Kept:
		return say("Process %[1]d goes on, and mapstack watches it to its end. What is refused to it after this is written to the file of -o alone.",
			"进程 %[1]d 仍在运行，mapstack 会跟踪它直到结束。此后被拒绝的请求只写入 -o 指定的文件。", g.PID)
	case watch.Untraced:
		return say("Process %[1]d was not watched: it was made with CLONE_UNTRACED.", "进程 %[1]d 未被跟踪：它以 CLONE_UNTRACED 创建。", g.PID)
	case watch.Unreadable:
		return say("The memory of process %[1]d cannot be read: its user may not read its program (chmod o+r), or it has made itself undumpable (PR_SET_DUMPABLE). So its words and the flags of clone3 were not seen.",
			"无法读取进程 %[1]d 的内存：其用户无权读取该程序（chmod o+r），或程序已将自身设为不可转储（PR_SET_DUMPABLE）。因此未能看到它的输出和 clone3 的标志。", g.PID)
	case watch.Lost:
		return say("A call of process %[1]d could not be read (%[2]s), and may have been refused.", "进程 %[1]d 的一次调用无法读取（%[2]s），它可能被拒绝。", g.PID, g.Detail)
	case watch.SetUser:
		return say("Process %[1]d executed %[2]s, a set-user-ID (setuid) program or one with capabilities. Because it was traced it did not get them: run mapstack as root, or attach with --pid.",
			"进程 %[1]d 执行了 %[2]s，这是 set-user-ID（setuid）程序或带有能力的程序。因为被跟踪，它没有得到相应的权限：请以 root 运行 mapstack，或用 --pid 附加。", g.PID, g.Detail)
	case watch.Tracer:
		return say("Process %[1]d wanted to trace a thread itself with ptrace, as debuggers and LeakSanitizer do, and could not, because the thread was traced already. With LeakSanitizer set ASAN_OPTIONS=detect_leaks=0, or use --pid later.",
			"进程 %[1]d 想用 ptrace 自行跟踪线程（如调试器和 LeakSanitizer），但该线程已被跟踪，未能成功。使用 LeakSanitizer 时请设置 ASAN_OPTIONS=detect_leaks=0，或稍后用 --pid 附加。", g.PID)
	}
	return Text{}
}
