package assembler

import "encoding/binary"

// loongarch encodes instructions of loong64 (LoongArch Reference Manual, volume 1).
type loongarch struct{}

const (
	loongRA reg = 1
	loongSP reg = 3
	loongA0 reg = 4
)

func (loongarch) registers() registers {
	// s0 to s5 keep values. a7 holds the number of a system call, a0 to a5 its
	// arguments. The kernel may overwrite the t registers.
	return registers{v: [6]reg{23, 24, 25, 26, 27, 28}, temp: 12, number: 11, args: [6]reg{4, 5, 6, 7, 8, 9}}
}

func (loongarch) immediate(d reg, value uint64) []byte {
	r := uint32(d)
	return words32(
		0x14000000|uint32(value>>12)&0xfffff<<5|r,     // lu12i.w
		0x03800000|uint32(value)&0xfff<<10|r<<5|r,     // ori
		0x16000000|uint32(value>>32)&0xfffff<<5|r,     // lu32i.d
		0x03000000|uint32(value>>52)&0xfff<<10|r<<5|r) // lu52i.d
}

// three encodes an instruction of three registers.
func three(opcode uint32, d, j, k reg) []byte {
	return words32(opcode | uint32(k)<<10 | uint32(j)<<5 | uint32(d))
}

// twelve encodes an instruction of two registers and a 12-bit number.
func twelve(opcode uint32, d, j reg, n int) []byte {
	return words32(opcode | uint32(n)&0xfff<<10 | uint32(j)<<5 | uint32(d))
}

func (loongarch) move(d, s reg) []byte { return three(0x00150000, d, s, 0) } // or of zero

func (loongarch) binary(op operation, d, a, b reg) []byte {
	opcode := [...]uint32{add: 0x00108000, sub: 0x00118000, and: 0x00148000, or: 0x00150000, xor: 0x00158000}[op]
	return three(opcode, d, a, b)
}

func (loongarch) increment(d, a reg, n int) []byte { return twelve(0x02c00000, d, a, n) } // addi.d

func (loongarch) shift(left bool, d, a reg, n uint) []byte {
	opcode := uint32(0x00450000) // srli.d
	if left {
		opcode = 0x00410000 // slli.d
	}
	return words32(opcode | uint32(n)<<10 | uint32(a)<<5 | uint32(d))
}

func (loongarch) load(size int, d, base reg, offset int) []byte {
	if size == 1 {
		return twelve(0x2a000000, d, base, offset) // ld.bu
	}
	return twelve(0x28c00000, d, base, offset) // ld.d
}

func (loongarch) store(size int, s, base reg, offset int) []byte {
	if size == 1 {
		return twelve(0x29000000, s, base, offset) // st.b
	}
	return twelve(0x29c00000, s, base, offset) // st.d
}

func (loongarch) branch(c condition, a, b reg) ([]byte, int) {
	// beq, bne, bltu, bgeu
	opcode := [...]uint32{equal: 0x58000000, notEqual: 0x5c000000, below: 0x68000000, aboveEqual: 0x6c000000}[c]
	return words32(opcode | uint32(a)<<5 | uint32(b)), 0
}

func (loongarch) jump() ([]byte, int) { return words32(0x50000000), 0 } // b
func (loongarch) call() ([]byte, int) { return words32(0x54000000), 0 } // bl

func (m loongarch) enter() []byte {
	return append(m.increment(loongSP, loongSP, -16), m.store(8, loongRA, loongSP, 0)...)
}

func (m loongarch) leave() []byte {
	b := append(m.load(8, loongRA, loongSP, 0), m.increment(loongSP, loongSP, 16)...)
	return append(b, words32(0x4c000020)...) // jirl zero, ra, 0
}

func (m loongarch) stack(d reg) []byte { return m.move(d, loongSP) }

func (m loongarch) trap(d reg) []byte { return append(words32(0x002b0000), m.move(d, loongA0)...) }

func (loongarch) resolve(code []byte, end, target int) error {
	at := code[end-4 : end]
	word, distance := binary.LittleEndian.Uint32(at), make([]byte, 4)
	bits := uint(16)
	if word>>27 == 0x50000000>>27 { // b or bl
		bits = 26
	}
	if err := displace(distance, 4, end-4, target, bits); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(distance)
	binary.LittleEndian.PutUint32(at, word|n&0xffff<<10|n>>16)
	return nil
}
