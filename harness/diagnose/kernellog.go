package diagnose

import "golang.org/x/sys/unix"

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
