package limit

import (
	"syscall"
	"time"
)

// Pause sleeps. Unlike time.Sleep it also works in a copy of a probe, where no other
// thread can end the sleep of a goroutine.
func Pause(d time.Duration) {
	left := syscall.NsecToTimespec(d.Nanoseconds())
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}
