// Package filter runs seccomp filters on a system call, as the kernel does, and
// returns their answer. It shows whether a filter refused the call.
package filter

import (
	"encoding/binary"
	"fmt"

	"github.com/mapstack/conformance/poc/trace"
)

// Call is struct seccomp_data (include/uapi/linux/seccomp.h).
type Call struct {
	Number      uint32
	Arch        uint32 // AUDIT_ARCH_*
	Instruction uint64
	Args        [6]uint64
}

// Answer is what a filter returns: an action in the upper half, and data for it,
// such as an errno, in the lower.
type Answer uint32

// Actions besides those of poc/trace (include/uapi/linux/seccomp.h).
const (
	KillProcess = 0x80000000
	KillThread  = 0x00000000
	Trap        = 0x00030000
)

// Action returns the upper half.
func (a Answer) Action() uint32 { return uint32(a) & 0xffff0000 }

// Errno returns the error that the call gets in place of being made. It is 0 for
// other actions.
func (a Answer) Errno() int {
	const most = 4095 // MAX_ERRNO: the kernel lowers larger ones to it (kernel/seccomp.c)
	if a.Action() != trace.Error {
		return 0
	}
	return min(int(a&0xffff), most)
}

// Decide runs all filters of a thread, the newest first, and returns the answer that
// wins. That is the one with the least action as a signed number, and the first of
// equal ones.
func Decide(filters [][]trace.Instruction, c Call, order binary.ByteOrder) (Answer, error) {
	winner := Answer(trace.Allow)
	for i, f := range filters {
		a, err := Run(f, c, order)
		if err != nil {
			return 0, fmt.Errorf("seccomp filter %d of %d: %w", i+1, len(filters), err)
		}
		if int32(a.Action()) < int32(winner.Action()) {
			winner = a
		}
	}
	return winner, nil
}

// Instructions that seccomp allows (seccomp_check_filter in kernel/seccomp.c),
// by class and mode (include/uapi/linux/bpf_common.h).
const (
	classLoad, classLoadX, classStore, classStoreX = 0, 1, 2, 3
	classALU, classJump, classReturn, classMisc    = 4, 5, 6, 7

	modeImmediate, modeAbsolute, modeMemory, modeLength = 0x00, 0x20, 0x60, 0x80

	sourceX = 0x08
	// returnA makes a return give the accumulator.
	returnA = 0x10
)

// size is the size of struct seccomp_data, bytes.
const size = 64

func (c Call) bytes(order binary.ByteOrder) (b [size]byte) {
	order.PutUint32(b[0:], c.Number)
	order.PutUint32(b[4:], c.Arch)
	order.PutUint64(b[8:], c.Instruction)
	for i, a := range c.Args {
		order.PutUint64(b[16+8*i:], a)
	}
	return b
}

// machine is the state of one run.
type machine struct {
	data   [size]byte
	order  binary.ByteOrder
	a, x   uint32
	memory [16]uint32 // BPF_MEMWORDS
}

// Run runs one filter. It ends because every jump leads forward. It fails on an
// instruction that the kernel does not accept.
func Run(program []trace.Instruction, c Call, order binary.ByteOrder) (Answer, error) {
	m := machine{data: c.bytes(order), order: order}
	for pc := 0; pc < len(program); pc++ {
		i := program[pc]
		var err error
		switch i.Code & 7 {
		case classLoad:
			m.a, err = m.load(i)
		case classLoadX:
			m.x, err = m.load(i)
		case classStore, classStoreX:
			err = m.store(i)
		case classALU:
			m.a, err = m.compute(i)
		case classJump:
			var jump uint32
			jump, err = m.jump(i)
			if uint64(jump) > uint64(len(program)-pc) {
				err = fmt.Errorf("it jumps %d instructions, behind its end", jump)
			}
			pc += int(jump)
		case classReturn:
			if i.Code&0x18 == returnA {
				return Answer(m.a), nil
			}
			return Answer(i.K), nil
		case classMisc:
			if i.Code&0xf8 == 0x80 { // BPF_TXA
				m.a = m.x
			} else {
				m.x = m.a
			}
		}
		if err != nil {
			return 0, fmt.Errorf("instruction %d: %w", pc, err)
		}
	}
	return 0, fmt.Errorf("it ends without an answer after %d instructions", len(program))
}

func (m *machine) load(i trace.Instruction) (uint32, error) {
	switch i.Code & 0xe0 {
	case modeImmediate:
		return i.K, nil
	case modeLength:
		return size, nil
	case modeMemory:
		if i.K < uint32(len(m.memory)) {
			return m.memory[i.K], nil
		}
	case modeAbsolute:
		if i.K <= size-4 && i.K%4 == 0 {
			return m.order.Uint32(m.data[i.K:]), nil
		}
	}
	return 0, fmt.Errorf("it loads %d by code %#x", i.K, i.Code)
}

func (m *machine) store(i trace.Instruction) error {
	if i.K >= uint32(len(m.memory)) {
		return fmt.Errorf("it stores in word %d", i.K)
	}
	m.memory[i.K] = m.a
	if i.Code&7 == classStoreX {
		m.memory[i.K] = m.x
	}
	return nil
}

func (m *machine) operand(i trace.Instruction) uint32 {
	if i.Code&sourceX != 0 {
		return m.x
	}
	return i.K
}

func (m *machine) compute(i trace.Instruction) (uint32, error) {
	v := m.operand(i)
	switch i.Code & 0xf0 {
	case 0x00:
		return m.a + v, nil
	case 0x10:
		return m.a - v, nil
	case 0x20:
		return m.a * v, nil
	case 0x30:
		if v == 0 {
			return 0, fmt.Errorf("it divides by zero")
		}
		return m.a / v, nil
	case 0x40:
		return m.a | v, nil
	case 0x50:
		return m.a & v, nil
	case 0x60:
		return m.a << (v & 31), nil
	case 0x70:
		return m.a >> (v & 31), nil
	case 0x80:
		return -m.a, nil
	case 0xa0:
		return m.a ^ v, nil
	}
	return 0, fmt.Errorf("it computes by code %#x", i.Code)
}

// jump returns how many instructions to skip.
func (m *machine) jump(i trace.Instruction) (uint32, error) {
	v, taken := m.operand(i), false
	switch i.Code & 0xf0 {
	case 0x00:
		return i.K, nil
	case 0x10:
		taken = m.a == v
	case 0x20:
		taken = m.a > v
	case 0x30:
		taken = m.a >= v
	case 0x40:
		taken = m.a&v != 0
	default:
		return 0, fmt.Errorf("it jumps by code %#x", i.Code)
	}
	if taken {
		return uint32(i.JT), nil
	}
	return uint32(i.JF), nil
}
