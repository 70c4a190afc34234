package agent

import (
	"runtime"
	"syscall"
	"unsafe"
)

// clockMonotonic and timerAbstime are the same numbers on every architecture.
const (
	clockMonotonic = 1
	timerAbstime   = 1
)

// rearmTimers makes every CPU program its timer again. QEMU saves the counter of a
// MIPS CPU but not the pending comparison, and its malta sometimes misses a
// comparison. The guest would then sleep until the 32 bits of the counter wrap
// around.
//
// The kernel programs the timer again only for an event earlier than the lost one,
// so this asks for the earliest possible one. (Kernel 7.2 programs none that is
// past; it needs the machine's help, arch.Machine.TimerInput.) Where no comparison
// was lost this does nothing.
//
// The calls are raw. While a probe has taken every available thread, the Go runtime
// must not need another one here.
func rearmTimers() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one [16]uint64 // masks of 1024 CPUs
	size := unsafe.Sizeof(all)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, size, uintptr(unsafe.Pointer(&all))); errno != 0 {
		return
	}
	for word := range all {
		for bit := uint(0); bit < 64; bit++ {
			if all[word]>>bit&1 == 0 {
				continue
			}
			one = [16]uint64{}
			one[word] = 1 << bit
			affinity(&one)
			past := [2]int64{0, 1} // a nanosecond after the kernel started
			_, _, _ = syscall.RawSyscall6(syscall.SYS_CLOCK_NANOSLEEP, clockMonotonic, timerAbstime, uintptr(unsafe.Pointer(&past)), 0, 0, 0)
		}
	}
	affinity(&all)
}

func affinity(mask *[16]uint64) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(*mask), uintptr(unsafe.Pointer(mask)))
}
