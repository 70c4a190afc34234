package assembler

// mips64 encodes instructions of mips64le, ABI n64 (MIPS64 Release 2 manual, volume
// II).
type mips64 struct{}

const (
	mipsV0 reg = 2
	mipsA3 reg = 7
	mipsSP reg = 29
	mipsRA reg = 31
)

// nop fills every delay slot.
const nop = 0

func (mips64) registers() registers {
	// s0 to s5 keep values. v0 holds the number of a system call, a0 to a5 its
	// arguments.
	return registers{v: [6]reg{16, 17, 18, 19, 20, 21}, temp: 12, number: mipsV0, args: [6]reg{4, 5, 6, 7, 8, 9}}
}

// special encodes an instruction of three registers.
func special(function uint32, d, s, t reg) uint32 {
	return uint32(s)<<21 | uint32(t)<<16 | uint32(d)<<11 | function
}

// immediate16 encodes an instruction of two registers and a 16-bit number.
func immediate16(opcode uint32, t, s reg, n uint32) uint32 {
	return opcode<<26 | uint32(s)<<21 | uint32(t)<<16 | n&0xffff
}

func (mips64) immediate(d reg, value uint64) []byte {
	left := special(0x38, d, 0, d) | 16<<6 // dsll
	return words32(
		immediate16(0x0f, d, 0, uint32(value>>48)), // lui
		immediate16(0x0d, d, d, uint32(value>>32)), // ori
		left,
		immediate16(0x0d, d, d, uint32(value>>16)),
		left,
		immediate16(0x0d, d, d, uint32(value)))
}

func (mips64) move(d, s reg) []byte { return words32(special(0x25, d, s, 0)) } // or of zero

func (mips64) binary(op operation, d, a, b reg) []byte {
	// daddu, dsubu
	function := [...]uint32{add: 0x2d, sub: 0x2f, and: 0x24, or: 0x25, xor: 0x26}[op]
	return words32(special(function, d, a, b))
}

func (mips64) increment(d, a reg, n int) []byte {
	return words32(immediate16(0x19, d, a, uint32(n))) // daddiu
}

func (mips64) shift(left bool, d, a reg, n uint) []byte {
	function := uint32(0x3a) // dsrl
	if left {
		function = 0x38 // dsll
	}
	if n >= 32 { // dsrl32, dsll32
		function, n = function|4, n-32
	}
	return words32(special(function, d, 0, a) | uint32(n)<<6)
}

func (mips64) load(size int, d, base reg, offset int) []byte {
	if size == 1 {
		return words32(immediate16(0x24, d, base, uint32(offset))) // lbu
	}
	return words32(immediate16(0x37, d, base, uint32(offset))) // ld
}

func (mips64) store(size int, s, base reg, offset int) []byte {
	if size == 1 {
		return words32(immediate16(0x28, s, base, uint32(offset))) // sb
	}
	return words32(immediate16(0x3f, s, base, uint32(offset))) // sd
}

func (m mips64) branch(c condition, a, b reg) ([]byte, int) {
	const beq, bne = 0x04, 0x05
	less := special(0x2b, m.registers().temp, a, b) // sltu
	flag := m.registers().temp
	switch c {
	case equal:
		return words32(immediate16(beq, b, a, 0), nop), 4
	case notEqual:
		return words32(immediate16(bne, b, a, 0), nop), 4
	case below:
		return words32(less, immediate16(bne, 0, flag, 0), nop), 4
	default:
		return words32(less, immediate16(beq, 0, flag, 0), nop), 4
	}
}

func (mips64) jump() ([]byte, int) { return words32(0x10000000, nop), 4 } // b
func (mips64) call() ([]byte, int) { return words32(0x04110000, nop), 4 } // bal

func (m mips64) enter() []byte {
	return append(m.increment(mipsSP, mipsSP, -16), m.store(8, mipsRA, mipsSP, 0)...)
}

func (m mips64) leave() []byte {
	b := append(m.load(8, mipsRA, mipsSP, 0), m.increment(mipsSP, mipsSP, 16)...)
	return append(b, words32(special(0x08, 0, mipsRA, 0), nop)...) // jr
}

func (m mips64) stack(d reg) []byte { return m.move(d, mipsSP) }

func (m mips64) trap(d reg) []byte {
	b := words32(
		0x0000000c,                           // syscall
		immediate16(0x04, 0, mipsA3, 2), nop, // beq a3, zero: skip the next instruction
		special(0x2f, mipsV0, 0, mipsV0)) // dsubu
	return append(b, m.move(d, mipsV0)...)
}

func (mips64) resolve(code []byte, end, target int) error {
	return displace(code, end, end, target, 16)
}
