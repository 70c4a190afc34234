package diagnose

import (
	"strconv"

	"github.com/mapstack/conformance/harness/foreign"
)

// tools returns commands that show the calls, for the tools that are installed.
func tools(installed func(string) bool, pid int, command []string) []string {
	target, start := "-p "+strconv.Itoa(pid), "gdb -p "+strconv.Itoa(pid)
	end := " -ex continue"
	if len(command) > 0 {
		target, start, end = "-- "+foreign.Shell(command...), "gdb", " -ex run --args "+foreign.Shell(command...)
	}
	var list []string
	for _, t := range []struct{ name, command string }{
		{"strace", "strace -f -e trace=process,memory " + target},
		{"perf", "perf trace -e clone,clone3 " + target},
		{"gdb", start + " -ex 'catch syscall clone' -ex 'catch syscall clone3'" + end},
	} {
		if installed(t.name) {
			list = append(list, t.command)
		}
	}
	return list
}
