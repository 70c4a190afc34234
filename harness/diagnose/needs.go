package diagnose

import (
	"io/fs"
	"strconv"
	"strings"
)

// needs says why a program could not be traced, and what would let it: pid is of
// one that runs already, 0 of one that was to be started.
func needs(root fs.FS, pid int, problem error) []Text {
	const sysPtrace = 19 // CAP_SYS_PTRACE
	list := []Text{say("Tracing was refused (%[1]v). It needs one of these:", "跟踪被拒绝（%[1]v）。需要满足以下之一：", problem)}
	self := fields(root, "proc/self/status")
	caps, _ := strconv.ParseUint(self["CapEff"], 16, 64)
	capable := caps>>sysPtrace&1 == 1
	scope, _ := fs.ReadFile(root, "proc/sys/kernel/yama/ptrace_scope")
	switch strings.TrimSpace(string(scope)) {
	case "1":
		if pid != 0 && !capable {
			list = append(list, say("sysctl -w kernel.yama.ptrace_scope=0, or root: Yama lets only a parent trace (ptrace_scope is 1); or start the program by mapstack diagnose -- CMD",
				"sysctl -w kernel.yama.ptrace_scope=0，或使用 root：Yama 只允许父进程跟踪（ptrace_scope 为 1）；或用 mapstack diagnose -- CMD 启动程序"))
		}
	case "2":
		if !capable {
			list = append(list, say("root, or CAP_SYS_PTRACE: Yama lets nobody else trace (kernel.yama.ptrace_scope is 2)",
				"root 或 CAP_SYS_PTRACE：Yama 不允许其他人跟踪（kernel.yama.ptrace_scope 为 2）"))
		}
	case "3":
		list = append(list, say("another setting at the next boot: Yama lets nobody trace (kernel.yama.ptrace_scope is 3)",
			"下次启动时更改设置：Yama 禁止一切跟踪（kernel.yama.ptrace_scope 为 3）"))
	}
	if its := fields(root, "proc/"+strconv.Itoa(pid)+"/status"); pid != 0 && len(its) > 0 {
		if tracer := its["TracerPid"]; tracer != "" && tracer != "0" {
			list = append(list, say("that process %[1]s, which traces the program already, ends", "正在跟踪该程序的进程 %[1]s 先结束", tracer))
		}
		if its["Uid"] != self["Uid"] && !capable {
			list = append(list, say("root, or user %[1]s, whose program it is", "root，或该程序所属的用户 %[1]s", its["Uid"]))
		}
	}
	if self["Seccomp"] == "2" {
		list = append(list, say("a container that allows ptrace: docker run --cap-add SYS_PTRACE --security-opt seccomp=unconfined",
			"允许 ptrace 的容器：docker run --cap-add SYS_PTRACE --security-opt seccomp=unconfined"))
	}
	if self["TracerPid"] != "" && self["TracerPid"] != "0" {
		list = append(list, say("that process %[1]s does not trace mapstack itself", "进程 %[1]s 不跟踪 mapstack 本身", self["TracerPid"]))
	}
	if len(list) == 1 {
		list = append(list, say("root on Linux 5.3 or later, outside of containers", "在容器之外、Linux 5.3 或更新版本上以 root 运行"))
	}
	return list
}

// fields is the first word behind each key of a status file.
func fields(root fs.FS, name string) map[string]string {
	text, _ := fs.ReadFile(root, name)
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, rest, _ := strings.Cut(line, ":")
		if f := strings.Fields(rest); len(f) > 0 {
			all[key] = f[0]
		}
	}
	return all
}

// tools are commands that show the calls, of what is installed.
func tools(installed func(string) bool, pid int, command []string) []string {
	target, start := "-p "+strconv.Itoa(pid), "gdb -p "+strconv.Itoa(pid)
	end := " -ex continue"
	if len(command) > 0 {
		target, start, end = "-- "+quoted(command), "gdb", " -ex run --args "+quoted(command)
	}
	var list []string
	for _, t := range []struct{ name, command string }{
		{"strace", "strace -f -e trace=clone,clone3,mmap " + target},
		{"perf", "perf trace -e clone,clone3 " + target},
		{"gdb", start + " -ex 'catch syscall clone' -ex 'catch syscall clone3'" + end},
	} {
		if installed(t.name) {
			list = append(list, t.command)
		}
	}
	return list
}

// quoted is a command as a shell reads it.
func quoted(command []string) string {
	words := make([]string, len(command))
	for i, w := range command {
		if w == "" || strings.ContainsFunc(w, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,+-@%", r)
		}) {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words[i] = w
	}
	return strings.Join(words, " ")
}
