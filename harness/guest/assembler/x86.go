package assembler

import (
	"encoding/binary"
	"fmt"
	"math"
)

// x86 encodes instructions of amd64 (Intel SDM volume 2, opcode tables).
type x86 struct{}

const (
	rax reg = 0
	rcx reg = 1
	rsp reg = 4
)

func (x86) registers() registers {
	// rbx, rbp and r12 to r15 keep values; the kernel overwrites rcx and r11.
	// Arguments of system calls are in rdi, rsi, rdx, r10, r8, r9.
	return registers{v: [6]reg{3, 5, 12, 13, 14, 15}, temp: rcx, number: rax, args: [6]reg{7, 6, 2, 10, 8, 9}}
}

// modRM encodes an instruction of two 64-bit registers: REX.W, opcode, ModRM.
func modRM(opcode byte, register, rm reg) []byte {
	return []byte{0x48 | byte(register>>3)<<2 | byte(rm>>3), opcode, 0xc0 | byte(register&7)<<3 | byte(rm&7)}
}

// memory encodes an instruction of a register and memory at base plus a 32-bit
// offset.
func memory(opcode []byte, register, base reg, offset int) []byte {
	b := append([]byte{0x48 | byte(register>>3)<<2 | byte(base>>3)}, opcode...)
	b = append(b, 0x80|byte(register&7)<<3|byte(base&7))
	if base&7 == rsp { // rsp and r12 need a SIB byte
		b = append(b, 0x24)
	}
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

func (x86) immediate(d reg, value uint64) []byte {
	b := []byte{0x48 | byte(d>>3), 0xb8 | byte(d&7)}
	return binary.LittleEndian.AppendUint64(b, value)
}

func (x86) move(d, s reg) []byte { return modRM(0x89, s, d) }

// via computes in rax, which the program does not use otherwise. So d may be any
// register.
func via(d, a reg, code []byte) []byte {
	return append(append(modRM(0x89, a, rax), code...), modRM(0x89, rax, d)...)
}

func (x86) binary(op operation, d, a, b reg) []byte {
	opcode := [...]byte{add: 0x01, sub: 0x29, and: 0x21, or: 0x09, xor: 0x31}[op]
	return via(d, a, modRM(opcode, b, rax))
}

func (x86) increment(d, a reg, n int) []byte {
	return via(d, a, binary.LittleEndian.AppendUint32([]byte{0x48, 0x05}, uint32(n)))
}

func (x86) shift(left bool, d, a reg, n uint) []byte {
	extension := reg(5)
	if left {
		extension = 4
	}
	return via(d, a, append(modRM(0xc1, extension, rax), byte(n)))
}

func (x86) load(size int, d, base reg, offset int) []byte {
	if size == 1 {
		return memory([]byte{0x0f, 0xb6}, d, base, offset)
	}
	return memory([]byte{0x8b}, d, base, offset)
}

func (x86) store(size int, s, base reg, offset int) []byte {
	if size == 1 {
		return memory([]byte{0x88}, s, base, offset)
	}
	return memory([]byte{0x89}, s, base, offset)
}

func (x86) branch(c condition, a, b reg) ([]byte, int) {
	jcc := [...]byte{equal: 0x84, notEqual: 0x85, below: 0x82, aboveEqual: 0x83}[c]
	return append(modRM(0x39, b, a), 0x0f, jcc, 0, 0, 0, 0), 0
}

func (x86) jump() ([]byte, int) { return []byte{0xe9, 0, 0, 0, 0}, 0 }
func (x86) call() ([]byte, int) { return []byte{0xe8, 0, 0, 0, 0}, 0 }
func (x86) enter() []byte       { return nil }
func (x86) leave() []byte       { return []byte{0xc3} }
func (x86) stack(d reg) []byte  { return modRM(0x89, rsp, d) }

func (x86) trap(d reg) []byte { return append([]byte{0x0f, 0x05}, modRM(0x89, rax, d)...) }

func (x86) resolve(code []byte, end, target int) error {
	distance := target - end
	if distance != int(int32(distance)) {
		return fmt.Errorf("a jump over %d bytes is beyond %d", distance, math.MaxInt32)
	}
	binary.LittleEndian.PutUint32(code[end-4:end], uint32(distance))
	return nil
}
