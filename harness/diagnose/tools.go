package diagnose

import (
	"strconv"
	"strings"
)

// tools returns commands that show the calls, for the tools that are installed.
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

// quoted returns a command as a shell reads it.
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
