package assembler

import "encoding/binary"

// aarch64 encodes instructions of arm64 (Arm ARM, chapter C4).
type aarch64 struct{}

func (aarch64) registers() registers {
	// x19 to x24 keep values. x8 holds the number of a system call, x0 to x5 its
	// arguments.
	return registers{v: [6]reg{19, 20, 21, 22, 23, 24}, temp: 9, number: 8, args: [6]reg{0, 1, 2, 3, 4, 5}}
}

func (aarch64) immediate(d reg, value uint64) []byte {
	var b []byte
	for i := range uint32(4) {
		opcode := uint32(0xf2800000) // MOVK
		if i == 0 {
			opcode = 0xd2800000 // MOVZ
		}
		b = append(b, words32(opcode|i<<21|uint32(value>>(16*i))&0xffff<<5|uint32(d))...)
	}
	return b
}

func (aarch64) move(d, s reg) []byte { return words32(0xaa0003e0 | uint32(s)<<16 | uint32(d)) } // ORR of XZR

func (aarch64) binary(op operation, d, a, b reg) []byte {
	opcode := [...]uint32{add: 0x8b000000, sub: 0xcb000000, and: 0x8a000000, or: 0xaa000000, xor: 0xca000000}[op]
	return words32(opcode | uint32(b)<<16 | uint32(a)<<5 | uint32(d))
}

func (aarch64) increment(d, a reg, n int) []byte {
	opcode := uint32(0x91000000) // ADD
	if n < 0 {
		opcode, n = 0xd1000000, -n // SUB
	}
	return words32(opcode | uint32(n)<<10 | uint32(a)<<5 | uint32(d))
}

func (aarch64) shift(left bool, d, a reg, n uint) []byte {
	immr, imms := uint32(n), uint32(63) // UBFM as LSR
	if left {
		immr, imms = uint32(64-n)&63, uint32(63-n)
	}
	return words32(0xd3400000 | immr<<16 | imms<<10 | uint32(a)<<5 | uint32(d))
}

// indexed encodes a load or a store. The instruction holds the offset in units of
// the size that it moves.
func indexed(wide, narrow uint32, size int, r, base reg, offset int) []byte {
	opcode := wide
	if size == 1 {
		opcode = narrow
	}
	return words32(opcode | uint32(offset/size)<<10 | uint32(base)<<5 | uint32(r))
}

func (aarch64) load(size int, d, base reg, offset int) []byte {
	return indexed(0xf9400000, 0x39400000, size, d, base, offset)
}

func (aarch64) store(size int, s, base reg, offset int) []byte {
	return indexed(0xf9000000, 0x39000000, size, s, base, offset)
}

func (aarch64) branch(c condition, a, b reg) ([]byte, int) {
	cond := [...]uint32{equal: 0, notEqual: 1, below: 3, aboveEqual: 2}[c]
	return words32(0xeb00001f|uint32(b)<<16|uint32(a)<<5, 0x54000000|cond), 0 // CMP, B.cond
}

func (aarch64) jump() ([]byte, int) { return words32(0x14000000), 0 }
func (aarch64) call() ([]byte, int) { return words32(0x94000000), 0 }
func (aarch64) enter() []byte       { return words32(0xf81f0ffe) }             // STR X30, [SP, #-16]!
func (aarch64) leave() []byte       { return words32(0xf84107fe, 0xd65f03c0) } // LDR X30, [SP], #16; RET
func (aarch64) stack(d reg) []byte  { return words32(0x910003e0 | uint32(d)) }

func (m aarch64) trap(d reg) []byte { return append(words32(0xd4000001), m.move(d, 0)...) } // SVC #0

func (aarch64) resolve(code []byte, end, target int) error {
	if binary.LittleEndian.Uint32(code[end-4:])>>24 != 0x54 {
		return displace(code, end, end-4, target, 26)
	}
	cond := uint32(code[end-4])
	code[end-4] = 0 // B.cond has its distance above the condition, so the condition is put back later
	if err := displace(code, end, end-4, target, 19); err != nil {
		return err
	}
	word := binary.LittleEndian.Uint32(code[end-4:])
	binary.LittleEndian.PutUint32(code[end-4:], word&0xff000000|word&0x7ffff<<5|cond)
	return nil
}
