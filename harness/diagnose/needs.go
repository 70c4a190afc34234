package diagnose

import (
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/harness/foreign"
)

// needs says why a program could not be traced, and what would allow it. pid is
// of a program that runs already, 0 of one that was to be
// started from a file.
func needs(root fs.FS, pid int, file string, problem error) []Text {
	list := []Text{say("Tracing was refused (%[1]v). It needs one of these:", "跟踪被拒绝（%[1]v）。需要满足以下之一：", problem)}
	self := fields(root, "proc/self/status")
	caps, _ := strconv.ParseUint(self["CapEff"], 16, 64)
	const sysPtrace = 19 // CAP_SYS_PTRACE (include/uapi/linux/capability.h)
	capable := caps>>sysPtrace&1 == 1
	if errors.Is(problem, watch.ErrSetUser) {
		return append(list, say("root: a program with set-user-ID (setuid), set-group-ID or capabilities does not get them when an ordinary user traces it",
			"root：普通用户跟踪 set-user-ID（setuid）、set-group-ID 或带有能力的程序时，程序得不到相应的权限"))
	}
	list = append(list, yama(root, pid, capable)...)
	list = append(list, ofFile(root, file)...)
	if pid != 0 {
		list = append(list, ofProgram(fields(root, "proc/"+strconv.Itoa(pid)+"/status"), self, capable)...)
	}
	if self["Seccomp"] == "2" {
		list = append(list, say("a container that allows ptrace: docker run --cap-add SYS_PTRACE --security-opt seccomp=unconfined",
			"允许 ptrace 的容器：docker run --cap-add SYS_PTRACE --security-opt seccomp=unconfined"))
	}
	if tracer := self["TracerPid"]; tracer != "" && tracer != "0" {
		list = append(list, say("the end of process %[1]s, which traces mapstack itself", "正在跟踪 mapstack 自身的进程 %[1]s 先结束", tracer))
	}
	if len(list) == 1 {
		list = append(list, say("root, outside of containers", "在容器之外以 root 运行"))
	}
	return list
}

// yama says what the security module Yama demands.
func yama(root fs.FS, pid int, capable bool) []Text {
	scope, _ := fs.ReadFile(root, "proc/sys/kernel/yama/ptrace_scope")
	switch mode := strings.TrimSpace(string(scope)); {
	case mode == "1" && pid != 0 && !capable:
		return []Text{say("sysctl -w kernel.yama.ptrace_scope=0, or root: Yama lets only a parent trace (ptrace_scope is 1); or start the program with mapstack diagnose -- CMD",
			"sysctl -w kernel.yama.ptrace_scope=0，或使用 root：Yama 只允许父进程跟踪（ptrace_scope 为 1）；或用 mapstack diagnose -- CMD 启动程序")}
	case mode == "2" && !capable:
		return []Text{say("root, or CAP_SYS_PTRACE: Yama lets nobody else trace (kernel.yama.ptrace_scope is 2)",
			"root 或 CAP_SYS_PTRACE：Yama 不允许其他人跟踪（kernel.yama.ptrace_scope 为 2）")}
	case mode == "3":
		return []Text{say("a reboot with another setting: Yama lets nobody trace (kernel.yama.ptrace_scope is 3)",
			"更改设置并重新启动：Yama 禁止一切跟踪（kernel.yama.ptrace_scope 为 3）")}
	}
	return nil
}

// ofFile says that a program which its user may not read cannot be traced by that user
// (would_dump in fs/exec.c).
func ofFile(root fs.FS, name string) []Text {
	file, err := root.Open(strings.TrimPrefix(path.Clean(name), "/"))
	if err == nil {
		_ = file.Close()
	}
	if !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return []Text{say("a program that can be read: you may not read %[1]s, and the kernel lets nobody trace what they may not read: chmod o+r %[2]s, or root",
		"可读的程序：您无权读取 %[1]s，而内核不允许跟踪无权读取的程序：chmod o+r %[2]s，或使用 root", name, foreign.Shell(name))}
}

// ofProgram says what the state of the program demands. its and self are the status
// of the program and of this process.
func ofProgram(its, self map[string]string, capable bool) (list []Text) {
	if len(its) == 0 {
		return nil
	}
	switch {
	case its["Kthread"] == "1", its["VmSize"] == "" && its["State"] != "" && its["State"] != "Z":
		return []Text{say("another process: this one is a thread of the kernel, and makes no system calls", "另一个进程：该进程是内核线程，不发出系统调用")}
	case its["State"] == "Z":
		return []Text{say("another process: this one has ended, and process %[1]s has not waited for it", "另一个进程：该进程已经结束，进程 %[1]s 尚未等待它", its["PPid"])}
	}
	if tracer := its["TracerPid"]; tracer != "" && tracer != "0" {
		list = append(list, say("the end of process %[1]s, which traces the program already", "正在跟踪该程序的进程 %[1]s 先结束", tracer))
	}
	if its["Uid"] != self["Uid"] && !capable {
		list = append(list, say("root, or user %[1]s, whose program it is", "root，或该程序所属的用户 %[1]s", its["Uid"]))
	}
	return list
}

// fields returns the first word behind each key of a status file.
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
