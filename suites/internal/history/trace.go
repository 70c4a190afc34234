package history

import "github.com/mapstack/conformance/harness/judge/facts"

// SetSyscallInfo reports whether ptrace knows PTRACE_SET_SYSCALL_INFO: commit
// 26bb32768fe6 (6.16). Observed: EIO on 5.10 to 6.12, accepted from 7.2 on.
func SetSyscallInfo(f facts.Facts) bool { return f.Release.AtLeast(6, 16, 0) }
