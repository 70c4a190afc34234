package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

// Numbers of include/uapi/linux/{ptrace,elf}.h.
const (
	getRegset      = 0x4204
	setRegset      = 0x4205
	getSyscallInfo = 0x420e // since 5.3

	registerSet = 1 // NT_PRSTATUS

	optionGoodSyscall = 0x1
	optionFork        = 0x2
	optionVfork       = 0x4
	optionClone       = 0x8
	optionExec        = 0x10
	optionSeccomp     = 0x80
	optionExitKill    = 0x100000

	eventExec    = 4
	eventSeccomp = 7

	infoExit    = 2
	infoSeccomp = 3
)

// waitAll is __WALL: wait4 for threads too.
const waitAll = 0x40000000

// syscallInfo is struct ptrace_syscall_info. What follows the three addresses
// depends on the operation.
type syscallInfo struct {
	Operation          uint8
	_                  [3]uint8
	Arch               uint32
	Instruction, Stack uint64
	// At a seccomp stop the number and the arguments; at the end of a call the
	// value in the first word and whether it is an error in the next byte.
	Words [8]uint64
}

func (i *syscallInfo) number() uint64 { return i.Words[0] }

func (i *syscallInfo) arguments() (args [6]uint64) {
	copy(args[:], i.Words[1:])
	return args
}

// result is the value of a call that ended, and its errno or 0.
func (i *syscallInfo) result() (uint64, int) {
	if failed := *(*uint8)(unsafe.Pointer(&i.Words[1])); failed == 0 {
		return i.Words[0], 0
	}
	return 0, int(-int64(i.Words[0]))
}

func ptrace(request, tid, addr, data uintptr) (uintptr, error) {
	r, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, request, tid, addr, data, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}

// stopped describes the system call at which a thread stands.
func stopped(tid int) (*syscallInfo, error) {
	info := &syscallInfo{}
	_, err := ptrace(getSyscallInfo, uintptr(tid), unsafe.Sizeof(*info), uintptr(unsafe.Pointer(info)))
	if err != nil {
		return nil, fmt.Errorf("PTRACE_GET_SYSCALL_INFO: %w", err)
	}
	return info, nil
}

// maxRegisters is more words than any architecture has in NT_PRSTATUS.
const maxRegisters = 64

// vector is struct iovec.
type vector struct {
	base   *uint64
	length uintptr
}

// words are the general registers of a stopped thread.
type words struct {
	all   [maxRegisters]uint64
	bytes uintptr
}

func registersOf(tid int) (*words, error) {
	w := &words{}
	v := &vector{base: &w.all[0], length: unsafe.Sizeof(w.all)}
	if _, err := ptrace(getRegset, uintptr(tid), registerSet, uintptr(unsafe.Pointer(v))); err != nil {
		return nil, fmt.Errorf("PTRACE_GETREGSET: %w", err)
	}
	w.bytes = v.length
	return w, nil
}

func (w *words) store(tid int) error {
	v := &vector{base: &w.all[0], length: w.bytes}
	if _, err := ptrace(setRegset, uintptr(tid), registerSet, uintptr(unsafe.Pointer(v))); err != nil {
		return fmt.Errorf("PTRACE_SETREGSET: %w", err)
	}
	return nil
}

// peek and poke are words of a stopped thread's memory.
func peek(tid int, addr uint64) (uint64, error) {
	var w [8]byte
	if _, err := syscall.PtracePeekData(tid, uintptr(addr), w[:]); err != nil {
		return 0, fmt.Errorf("PTRACE_PEEKDATA at %#x: %w", addr, err)
	}
	return *(*uint64)(unsafe.Pointer(&w[0])), nil
}

func poke(tid int, addr, value uint64) error {
	w := *(*[8]byte)(unsafe.Pointer(&value))
	if _, err := syscall.PtracePokeData(tid, uintptr(addr), w[:]); err != nil {
		return fmt.Errorf("PTRACE_POKEDATA at %#x: %w", addr, err)
	}
	return nil
}
