package diagnose

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLog bounds how much of the kernel's log is read, bytes. An OOM killer writes a line
// for each process of the machine before the one that is looked for.
const maxLog = 1 << 20

// KernelLog returns the end of the kernel's log. It is "" for who may not read it, which
// is everybody but root where kernel.dmesg_restrict is 1.
func KernelLog() string {
	b := make([]byte, maxLog)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// kill is what the kernel's log says of a process that an OOM killer ended.
type kill struct {
	// limited reports that the limit of a memory group was reached, not the machine's.
	limited bool
	// group is that group as /proc/PID/cgroup names it, "" where old kernels do not say.
	group string
}

// loggedKill finds what the kernel's log says of a process, and whether it does. Kernels
// since 5.0 write a line as the first, all write one as the second (dump_oom_summary and
// __oom_kill_process in mm/oom_kill.c):
//
//	oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),...,oom_memcg=/a,task_memcg=/a/b,task=app,pid=70,uid=0
//	Memory cgroup out of memory: Killed process 70 (app) total-vm:...
func loggedKill(log string, pid int) (k kill, logged bool) {
	for line := range strings.Lines(log) {
		lower := strings.ToLower(line)
		switch {
		case strings.Contains(lower, fmt.Sprintf("out of memory: killed process %d ", pid)), strings.Contains(lower, fmt.Sprintf("out of memory: kill process %d ", pid)):
			logged = true
			k.limited = strings.Contains(lower, "memory cgroup")
		case strings.Contains(line, "oom-kill:constraint=") && strings.Contains(line, fmt.Sprintf(",pid=%d,uid=", pid)):
			logged = true
			_, rest, _ := strings.Cut(line, ",oom_memcg=")
			k.group, _, _ = strings.Cut(rest, ",task_memcg=")
		}
	}
	return k, logged
}

// auditedKill matches the line that the kernel logs when a seccomp filter ends a process
// that makes calls of the machine's own ABI (audit_seccomp in kernel/auditsc.c). Names in
// it are quoted by the kernel.
var auditedKill = regexp.MustCompile(`type=1326 .* pid=(\d{1,10}) .* sig=31 .* syscall=(\d{1,9}) compat=0 `)

// filteredCall finds the number of the call at which a filter ended a process.
func filteredCall(log string, pid int) (number uint64, logged bool) {
	for line := range strings.Lines(log) {
		m := auditedKill.FindStringSubmatch(line)
		if m == nil || m[1] != strconv.Itoa(pid) {
			continue
		}
		if n, err := strconv.ParseUint(m[2], 10, 32); err == nil {
			number, logged = n, true
		}
	}
	return number, logged
}
