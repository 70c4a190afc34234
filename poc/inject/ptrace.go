package main

import (
	"fmt"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/trace"
)

// Numbers of include/uapi/linux/{ptrace,elf}.h.
const (
	getRegset = 0x4204
	setRegset = 0x4205

	registerSet = 1 // NT_PRSTATUS

	eventExec    = 4
	eventSeccomp = 7
)

// waitAll is __WALL: wait4 for threads too.
const waitAll = 0x40000000

// stopped describes the system call at which a thread stands.
func stopped(tid int) (*trace.Info, error) {
	info, errno := trace.SyscallInfo(tid)
	if errno != 0 {
		return nil, fmt.Errorf("PTRACE_GET_SYSCALL_INFO: %w", errno)
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
	if _, errno := trace.Ptrace(getRegset, uintptr(tid), registerSet, uintptr(unsafe.Pointer(v))); errno != 0 {
		return nil, fmt.Errorf("PTRACE_GETREGSET: %w", errno)
	}
	w.bytes = v.length
	return w, nil
}

func (w *words) store(tid int) error {
	v := &vector{base: &w.all[0], length: w.bytes}
	if _, errno := trace.Ptrace(setRegset, uintptr(tid), registerSet, uintptr(unsafe.Pointer(v))); errno != 0 {
		return fmt.Errorf("PTRACE_SETREGSET: %w", errno)
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
