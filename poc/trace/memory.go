package trace

import (
	"fmt"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
)

// From include/uapi/linux/{ptrace,elf}.h.
const (
	getRegset = 0x4204
	setRegset = 0x4205

	registerSet = 1 // NT_PRSTATUS
)

// MaxRegisters is more than the number of words that any architecture has in
// NT_PRSTATUS.
const MaxRegisters = 64

// vector is struct iovec.
type vector struct {
	base   *uint64
	length uintptr
}

// Words holds the general registers of a stopped thread, at the places of
// abi.Registers.
type Words struct {
	All   [MaxRegisters]uint64
	bytes uintptr
}

// RegistersOf reads the registers of a stopped thread.
func RegistersOf(tid int) (*Words, error) { return SetOf(tid, registerSet) }

// SetOf reads another set of registers of a stopped thread, by its number in
// include/uapi/linux/elf.h.
func SetOf(tid int, set uintptr) (*Words, error) {
	w := &Words{}
	v := &vector{base: &w.All[0], length: unsafe.Sizeof(w.All)}
	if _, errno := Ptrace(getRegset, uintptr(tid), set, uintptr(unsafe.Pointer(v))); errno != 0 {
		return nil, fmt.Errorf("PTRACE_GETREGSET: %w", errno)
	}
	w.bytes = v.length
	return w, nil
}

// Store sets the registers of a stopped thread.
func (w *Words) Store(tid int) error {
	v := &vector{base: &w.All[0], length: w.bytes}
	if _, errno := Ptrace(setRegset, uintptr(tid), registerSet, uintptr(unsafe.Pointer(v))); errno != 0 {
		return fmt.Errorf("PTRACE_SETREGSET: %w", errno)
	}
	return nil
}

// Peek reads a word of a stopped thread's memory.
func Peek(tid int, addr uint64) (uint64, error) {
	var w [8]byte
	if _, err := syscall.PtracePeekData(tid, uintptr(addr), w[:]); err != nil {
		return 0, fmt.Errorf("PTRACE_PEEKDATA at %#x: %w", addr, err)
	}
	return *(*uint64)(unsafe.Pointer(&w[0])), nil
}

// Poke writes a word of a stopped thread's memory.
func Poke(tid int, addr, value uint64) error {
	w := *(*[8]byte)(unsafe.Pointer(&value))
	if _, err := syscall.PtracePokeData(tid, uintptr(addr), w[:]); err != nil {
		return fmt.Errorf("PTRACE_POKEDATA at %#x: %w", addr, err)
	}
	return nil
}

// MmapArguments returns the six arguments of the mmap at which a thread is stopped.
// If mmap takes their address, they are read from the thread's memory.
func MmapArguments(k abi.Table, tid int, args [6]uint64) ([6]uint64, error) {
	if !k.MmapByPointer {
		return args, nil
	}
	at := args[0]
	for i := range args {
		var err error
		if args[i], err = Peek(tid, at+8*uint64(i)); err != nil {
			return args, err
		}
	}
	return args, nil
}
