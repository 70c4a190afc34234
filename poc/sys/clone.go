package sys

import (
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
)

// CloneArgs holds the arguments of the raw clone call by name. Kernel.Clone puts
// them in the architecture's order.
type CloneArgs struct {
	Flags               uint64 // CLONE_* flags; the low byte is the signal at exit
	Stack               uintptr
	ParentTID, ChildTID uintptr // addresses
	TLS                 uintptr
	// Pause makes a child wait until it is killed, instead of exiting at once.
	Pause bool
}

// futexWaitPrivate is FUTEX_WAIT|FUTEX_PRIVATE_FLAG (include/uapi/linux/futex.h).
const futexWaitPrivate = 0 | 128

// Clone makes the raw call and returns the child's thread ID, or 0 and the errno.
// It is for calls that must fail, or that fork. A child exits at once with status
// 0, or with args.Pause waits for ever. A child that shares memory with this
// process (CLONE_VM) writes to this goroutine's stack before that, unless
// args.Stack gives it another.
//
//go:nosplit
//go:norace
func (k *Kernel) Clone(args *CloneArgs) (int, syscall.Errno) {
	var in [5]uintptr
	for i := 0; i < len(in); i++ {
		switch k.CloneOrder[i] {
		case abi.CloneFlags:
			in[i] = uintptr(args.Flags)
		case abi.CloneStack:
			in[i] = args.Stack
		case abi.CloneParentTID:
			in[i] = args.ParentTID
		case abi.CloneChildTID:
			in[i] = args.ChildTID
		case abi.CloneTLS:
			in[i] = args.TLS
		}
	}
	exit, futex := uintptr(k.Syscall.Exit), uintptr(k.Syscall.Futex)
	// The child waits until its own copy of args changes, which never happens.
	word := unsafe.Pointer(args)
	unchanged := uintptr(*(*uint32)(word))
	r, _, errno := syscall.RawSyscall6(uintptr(k.Syscall.Clone), in[0], in[1], in[2], in[3], in[4], 0)
	if errno != 0 {
		return 0, errno
	}
	for r == 0 { // this is the child, in which nothing of the Go runtime works
		if args.Pause {
			syscall.RawSyscall6(futex, uintptr(word), futexWaitPrivate, unchanged, 0, 0, 0)
			continue
		}
		syscall.RawSyscall(exit, 0, 0, 0)
	}
	return int(r), 0
}

// Clone3 makes the raw call with the address of args, nil for none. size is in
// bytes; the kernel may read that much. A child behaves as after Clone.
//
//go:nosplit
//go:norace
func (k *Kernel) Clone3(args []uint64, size uintptr) (int, syscall.Errno) {
	var p unsafe.Pointer
	if len(args) > 0 {
		p = unsafe.Pointer(&args[0])
	}
	exit := uintptr(k.Syscall.Exit)
	r, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Clone3), uintptr(p), size, 0)
	if errno != 0 {
		return 0, errno
	}
	for r == 0 { // this is the child
		syscall.RawSyscall(exit, 0, 0, 0)
	}
	return int(r), 0
}
