package main

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

// rearmTimers has every CPU program its timer. QEMU saves a MIPS CPU's counter and
// not what waits for it, and now and then its malta misses a comparison, after
// which the guest would sleep until 32 bits of the counter have gone round. The
// kernel asks again only for an earlier event than the lost one: here for the
// earliest there is. (7.2 asks for none that is past; it needs its machine's
// help, arch.Machine.TimerInput.) Where nothing was lost it does nothing.
//
// The calls are raw: while a probe has taken all threads there are, the Go
// runtime must not want another one here.
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
