package sys

import (
	"fmt"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
)

const (
	// childStack is the size in bytes of a stack for a child that calls the kernel
	// twice. It is a page or more everywhere.
	childStack = 64 << 10
	// copied is the number of bytes of its parent's stack that the child must find
	// on its own. They hold the frames of firstCall.clone and of what that calls.
	// All of these are nosplit, so they cannot take more.
	copied = 1 << 10
)

// CloneFirst makes a thread or a process. Its first action is one system call,
// given as a number and three arguments; then it ends. It runs on its own stack,
// whatever else it shares with the parent. The error describes a failed
// preparation, the errno is clone's. From the clone on only raw calls are made, so
// that the Go runtime has no reason to make a thread before this returns.
//
// The caller must hold runtime.LockOSThread.
func (k *Kernel) CloneFirst(flags uint64, call [4]uintptr) (int, syscall.Errno, error) {
	tid, _, errno, err := k.CloneOnStack(CloneArgs{Flags: flags}, call)
	return tid, errno, err
}

// Stack is the memory that a child was given to run on.
type Stack struct{ Start, Size uintptr }

// CloneOnStack does the same as CloneFirst with all arguments of clone but the stack,
// and returns the child's stack.
func (k *Kernel) CloneOnStack(args CloneArgs, call [4]uintptr) (int, Stack, syscall.Errno, error) {
	return k.first(call, func(c *firstCall) {
		in := &c.calls[clone]
		in[0] = uintptr(k.Syscall.Clone)
		for i, arg := range k.CloneOrder {
			switch place := &in[1+i]; arg {
			case abi.CloneFlags:
				*place = uintptr(args.Flags)
			case abi.CloneStack:
				c.top = place
			case abi.CloneParentTID:
				*place = args.ParentTID
			case abi.CloneChildTID:
				*place = args.ChildTID
			case abi.CloneTLS:
				*place = args.TLS
			}
		}
	})
}

// Indexes of the stack and its size in struct clone_args, whose third version has this
// number of words (include/uapi/linux/sched.h).
const (
	clone3Stack     = 5
	clone3StackSize = 6
	clone3Words     = 11
)

// Clone3OnStack does the same as CloneOnStack by clone3. It fills in the stack and its
// size. The kernel must add them up.
func (k *Kernel) Clone3OnStack(args [clone3Words]uint64, call [4]uintptr) (int, Stack, syscall.Errno, error) {
	return k.first(call, func(c *firstCall) {
		c.words = args
		c.words[clone3Stack] = uint64(c.stack)
		c.top, c.base = (*uintptr)(unsafe.Pointer(&c.words[clone3StackSize])), c.stack
		c.calls[clone] = [7]uintptr{uintptr(k.Syscall.Clone3), uintptr(unsafe.Pointer(&c.words)), unsafe.Sizeof(c.words)}
	})
}

// first makes the child. prepare sets the call and the place of the stack in it.
func (k *Kernel) first(call [4]uintptr, prepare func(c *firstCall)) (int, Stack, syscall.Errno, error) {
	// The stack is never unmapped, because nobody can tell when a thread has left
	// it.
	stack, errno := k.Mmap(0, childStack, k.Prot.Read|k.Prot.Write, k.Map.Private|k.Map.Anonymous, -1, 0)
	if errno != 0 {
		return 0, Stack{}, 0, fmt.Errorf("map a stack: errno %d %s", int(errno), k.ErrnoName(int(errno)))
	}
	// /proc/self is not used, because it is the first thread.
	position, err := syscall.Open("/proc/thread-self/syscall", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, Stack{}, 0, fmt.Errorf("open /proc/thread-self/syscall: %w", err)
	}
	memory, err := syscall.Open("/proc/thread-self/mem", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		_ = syscall.Close(position)
		return 0, Stack{}, 0, fmt.Errorf("open /proc/thread-self/mem: %w", err)
	}

	c := &firstCall{first: call, exit: uintptr(k.Syscall.Exit), stack: stack}
	c.calls[tell] = [7]uintptr{syscall.SYS_READ, uintptr(position), uintptr(unsafe.Pointer(&c.text[0])), uintptr(len(c.text))}
	c.calls[duplicate] = [7]uintptr{syscall.SYS_PREAD64, uintptr(memory), 0, copied}
	prepare(c)
	tid, errno := c.clone()
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(position), 0, 0)
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(memory), 0, 0)
	if c.step != clone {
		return 0, Stack{}, 0, fmt.Errorf("the stack, said to be at %q, cannot be copied: errno %d %s", c.text, int(errno), k.ErrnoName(int(errno)))
	}
	return tid, Stack{stack, childStack}, errno, nil
}

// Steps of firstCall.clone.
const (
	tell      = iota // reads the stack pointer
	duplicate        // copies the stack above it
	clone
)

// firstCall is a child to be made. It is on the heap, where the child only reads
// it.
type firstCall struct {
	step  int
	calls [3][7]uintptr // by step; the call's number comes first
	stack uintptr
	top   *uintptr // clone's argument for the child's stack pointer, counted from base
	base  uintptr
	words [clone3Words]uint64
	first [4]uintptr
	exit  uintptr
	text  [256]byte
}

// clone makes the three calls from one place. The kernel copies the stack during
// the second call, and the child finds that copy when it returns from the third.
//
//go:nosplit
//go:norace
//go:noinline
func (c *firstCall) clone() (int, syscall.Errno) {
	for {
		in := &c.calls[c.step]
		r, _, errno := syscall.RawSyscall6(in[0], in[1], in[2], in[3], in[4], in[5], in[6])
		if c.step == clone {
			for r == 0 && errno == 0 { // this is the child, in which nothing of the Go runtime works
				syscall.RawSyscall(c.first[0], c.first[1], c.first[2], c.first[3])
				for {
					syscall.RawSyscall(c.exit, 0, 0, 0)
				}
			}
			return int(r), errno
		}
		if errno != 0 || c.step == tell && !c.told(int(r)) || c.step == duplicate && r != copied {
			return 0, errno
		}
		c.step++
	}
}

// told takes the stack pointer from c.text and passes it to the calls that follow.
// The line holds the number of a call, its six arguments, the stack pointer and the
// instruction pointer in hexadecimal (fs/proc/base.c).
//
//go:nosplit
//go:norace
func (c *firstCall) told(length int) bool {
	pointer, word := uintptr(0), 0
	for i := 0; i < length; i++ {
		switch char := c.text[i]; {
		case char == ' ':
			word++
		case word != 7 || char == 'x' || char == '\n':
		case char >= 'a':
			pointer = pointer<<4 | uintptr(char-'a'+10)
		default:
			pointer = pointer<<4 | uintptr(char-'0')
		}
	}
	// The copy is aligned like the stack pointer, whose alignment is 16 bytes or
	// less.
	top := c.stack + childStack - 2*copied + pointer%16
	*c.top = top - c.base
	c.calls[duplicate][2], c.calls[duplicate][4] = top, pointer
	return word == 8 && pointer != 0
}
