// Package sys makes raw system calls, with the numbers and argument orders that
// poc/abi has for the architecture it was compiled for. It hides no result: the
// errno is the kernel's own number, whatever that means on other architectures.
package sys

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
)

// Kernel makes system calls with the numbers of its table.
type Kernel struct{ abi.Table }

// Running returns the kernel that this program runs on. It fails if poc/abi has no
// table for the architecture that the program was compiled for.
func Running() (*Kernel, error) {
	t, ok := abi.Lookup(runtime.GOARCH)
	if !ok {
		return nil, fmt.Errorf("poc/abi has no table for %s, so no system call can be made; add one", runtime.GOARCH)
	}
	return &Kernel{t}, nil
}

// Mmap returns the address, or 0 and the errno.
func (k *Kernel) Mmap(addr, length uintptr, prot, flags uint64, fd int, offset int64) (uintptr, syscall.Errno) {
	if k.MmapByPointer {
		args := [6]uint64{uint64(addr), uint64(length), prot, flags, uint64(int64(fd)), uint64(offset)}
		r, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Mmap), uintptr(unsafe.Pointer(&args)), 0, 0)
		return result(r, errno)
	}
	r, _, errno := syscall.RawSyscall6(uintptr(k.Syscall.Mmap),
		addr, length, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(offset))
	return result(r, errno)
}

// Munmap unmaps whole pages.
func (k *Kernel) Munmap(addr, length uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Munmap), addr, length, 0)
	return errno
}

// Mprotect changes the protection of whole pages.
func (k *Kernel) Mprotect(addr, length uintptr, prot uint64) syscall.Errno {
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Mprotect), addr, length, uintptr(prot))
	return errno
}

// Madvise gives advice about whole pages.
func (k *Kernel) Madvise(addr, length uintptr, advice uint64) syscall.Errno {
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Madvise), addr, length, uintptr(advice))
	return errno
}

// Mincore fills vec with one byte for each page from addr on. Bit 0 is set if the
// page is resident.
func (k *Kernel) Mincore(addr uintptr, pageSize uintptr, vec []byte) syscall.Errno {
	if len(vec) == 0 {
		return 0
	}
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Mincore),
		addr, uintptr(len(vec))*pageSize, uintptr(unsafe.Pointer(&vec[0])))
	return errno
}

// Rlimit is a limit in the format of prlimit64: ^uint64(0) is infinity on every
// architecture.
type Rlimit struct{ Current, Max uint64 }

// Prlimit64 sets a limit of this process to new and stores the previous one in old.
// Either may be nil. Of the calls for limits only this one means the same on every
// architecture.
func (k *Kernel) Prlimit64(resource uint64, new, old *Rlimit) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(uintptr(k.Syscall.Prlimit64), 0, uintptr(resource),
		uintptr(unsafe.Pointer(new)), uintptr(unsafe.Pointer(old)), 0, 0)
	return errno
}

// MemfdCreate returns the descriptor of a new anonymous file.
func (k *Kernel) MemfdCreate(name string, flags uint64) (int, syscall.Errno) {
	c := append([]byte(name), 0)
	r, _, errno := syscall.RawSyscall(uintptr(k.Syscall.MemfdCreate), uintptr(unsafe.Pointer(&c[0])), uintptr(flags), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(r), 0
}

// Setresuid changes the user of the calling thread alone, so the caller must hold
// runtime.LockOSThread. ^uint32(0) leaves an ID unchanged.
func (k *Kernel) Setresuid(real, effective, saved uint32) syscall.Errno {
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Setresuid), uintptr(real), uintptr(effective), uintptr(saved))
	return errno
}

// Capset gives the calling thread these capabilities, as bits, and no others. It must be
// permitted to have them.
func (k *Kernel) Capset(capabilities uint64) syscall.Errno {
	// The structs of version 3 (include/uapi/linux/capability.h): which thread, then
	// twice 32 bits of what is effective, permitted and inheritable.
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	low, high := uint32(capabilities), uint32(capabilities>>32)
	data := [2][3]uint32{{low, low, 0}, {high, high, 0}}
	_, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
	return errno
}

// Prctl acts on the calling thread or on its process, depending on the option.
func (k *Kernel) Prctl(option, arg2, arg3, arg4, arg5 uintptr) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(uintptr(k.Syscall.Prctl), option, arg2, arg3, arg4, arg5, 0)
	return result(r, errno)
}

// SchedAttr is struct sched_attr as first published, with 48 bytes
// (include/uapi/linux/sched/types.h). Times are in nanoseconds.
type SchedAttr struct {
	Size, Policy              uint32
	Flags                     uint64
	Nice                      int32
	Priority                  uint32
	Runtime, Deadline, Period uint64
}

// SchedSetattr sets the scheduling policy of the calling thread alone. The caller
// must hold runtime.LockOSThread.
func (k *Kernel) SchedSetattr(attr SchedAttr) syscall.Errno {
	attr.Size = uint32(unsafe.Sizeof(attr))
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.SchedSetattr), 0, uintptr(unsafe.Pointer(&attr)), 0)
	return errno
}

// Personality sets the execution domain of the calling thread and returns the
// previous one. 0xffffffff only returns it.
func (k *Kernel) Personality(persona uint64) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Personality), uintptr(persona), 0, 0)
	return result(r, errno)
}

// Unshare moves the calling thread to new namespaces. The caller must hold
// runtime.LockOSThread.
func (k *Kernel) Unshare(flags uint64) syscall.Errno {
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Unshare), uintptr(flags), 0, 0)
	return errno
}

// SigStack is struct stack_t: an alternate signal stack and SS_* flags.
type SigStack struct {
	SP, Size uintptr
	Flags    int32
}

// Sigaltstack sets the alternate signal stack of the calling thread alone to new,
// and stores the previous one in old. Either may be nil. The caller must hold
// runtime.LockOSThread, and restore the Go runtime's own stack.
func (k *Kernel) Sigaltstack(new, old *SigStack) syscall.Errno {
	var in, out [3]uint64
	var set, get unsafe.Pointer
	if new != nil {
		set = unsafe.Pointer(&in)
		flags, size := k.sigStackPlaces()
		*(*uintptr)(set) = new.SP
		*(*int32)(unsafe.Pointer(uintptr(set) + flags)) = new.Flags
		*(*uintptr)(unsafe.Pointer(uintptr(set) + size)) = new.Size
	}
	if old != nil {
		get = unsafe.Pointer(&out)
	}
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Sigaltstack), uintptr(set), uintptr(get), 0)
	if errno == 0 && old != nil {
		*old = k.SigStackIn(&out)
	}
	return errno
}

// SigStackIn reads a struct stack_t that the kernel wrote.
func (k *Kernel) SigStackIn(memory *[3]uint64) SigStack {
	at := unsafe.Pointer(memory)
	flags, size := k.sigStackPlaces()
	return SigStack{
		SP:    *(*uintptr)(at),
		Flags: *(*int32)(unsafe.Pointer(uintptr(at) + flags)),
		Size:  *(*uintptr)(unsafe.Pointer(uintptr(at) + size)),
	}
}

// sigStackPlaces returns the offsets of the flags and the size in struct stack_t,
// in bytes.
func (k *Kernel) sigStackPlaces() (flags, size uintptr) {
	if k.SigStackSizeFirst {
		return 16, 8
	}
	return 8, 16
}

// Tgkill sends a signal to a thread of this process. Signal 0 only checks whether
// the thread exists.
//
//go:nosplit
//go:norace
func (k *Kernel) Tgkill(pid, tid int, signal uint64) syscall.Errno {
	_, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Tgkill), uintptr(pid), uintptr(tid), uintptr(signal))
	return errno
}

func result(r uintptr, errno syscall.Errno) (uintptr, syscall.Errno) {
	if errno != 0 {
		return 0, errno
	}
	return r, 0
}
