package trace

import (
	"syscall"
	"unsafe"
)

// Requests and options of include/uapi/linux/ptrace.h.
const (
	getEventMessage = 0x4201
	getSyscallInfo  = 0x420e // since 5.3
	setSyscallInfo  = 0x4212 // since 6.16

	OptionGoodSyscall = 0x1
	OptionFork        = 0x2
	OptionVfork       = 0x4
	OptionClone       = 0x8
	OptionExec        = 0x10
	OptionSeccomp     = 0x80
	OptionExitKill    = 0x100000
)

// AtSyscall is the bit that OptionGoodSyscall adds to the SIGTRAP of a stop at a
// call.
const AtSyscall = 0x80

// Values of Info.Operation: where in a call the thread stopped.
const (
	Entry   = 1
	Exit    = 2
	Seccomp = 3
)

// Info is struct ptrace_syscall_info. What follows the three addresses depends on
// the operation.
type Info struct {
	Operation          uint8
	Reserved           uint8
	Flags              uint16
	Arch               uint32
	Instruction, Stack uint64
	// At a call's entry and at a seccomp stop Words holds the number and the
	// arguments. At a call's end it holds the value in the first word, and whether
	// that is an error in the next byte.
	Words [8]uint64
}

// Number returns the number of the call that a thread begins.
func (i *Info) Number() uint64 { return i.Words[0] }

// Arguments returns the arguments of the call that a thread begins.
func (i *Info) Arguments() (args [6]uint64) {
	copy(args[:], i.Words[1:])
	return args
}

// Result returns the value of a call that ended, or its errno.
func (i *Info) Result() (uint64, int) {
	if failed := *(*uint8)(unsafe.Pointer(&i.Words[1])); failed == 0 {
		return i.Words[0], 0
	}
	return 0, int(-int64(i.Words[0]))
}

// SyscallInfo describes the system call at which a thread is stopped.
func SyscallInfo(tid int) (*Info, syscall.Errno) {
	info := &Info{}
	_, errno := Ptrace(getSyscallInfo, uintptr(tid), unsafe.Sizeof(*info), uintptr(unsafe.Pointer(info)))
	return info, errno
}

// SetSyscallInfo changes the system call at which a thread is stopped.
func SetSyscallInfo(tid int, info *Info) syscall.Errno {
	_, errno := Ptrace(setSyscallInfo, uintptr(tid), unsafe.Sizeof(*info), uintptr(unsafe.Pointer(info)))
	return errno
}

// EventMessage returns the number of the thread or process that a thread has just made,
// at a stop of kind Cloned.
func EventMessage(tid int) (uint64, syscall.Errno) {
	var message uint64 // an unsigned long
	_, errno := Ptrace(getEventMessage, uintptr(tid), 0, uintptr(unsafe.Pointer(&message)))
	return message, errno
}

// Ptrace makes the raw call. The tracer is a single thread, so the caller must hold
// runtime.LockOSThread.
func Ptrace(request, tid, addr, data uintptr) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, request, tid, addr, data, 0, 0)
	return r, errno
}
