package assembler

// alpha encodes the instruction formats that Alpha and sw64 share. isa holds the
// numbers in which they differ.
type alpha struct{ isa }

// isa holds the opcodes of one machine. An operation on registers has the opcode of
// its format and a function.
type isa struct {
	lda, ldah, ldbu, stb, ldq, stq uint32
	br, bsr, beq, bne              uint32
	ret                            uint32 // the whole instruction, through $26
	syscall                        uint32 // the whole instruction

	// These take two registers, or one register and a literal of eight bits, and put
	// the result in a third. Alpha marks the literal form by literalBit, sw64 by
	// another opcode.
	add, sub, and, or, xor, cmpeq, cmpult, sll, srl operateOp
	literal                                         uint32 // added to the opcode for the literal form
	literalBit                                      uint32
}

type operateOp struct{ opcode, function uint32 }

// isaAlpha is from the Alpha Architecture Handbook, appendix C. The byte
// instructions are BWX, which every CPU from EV56 on has.
var isaAlpha = isa{
	lda: 0x08, ldah: 0x09, ldbu: 0x0a, stb: 0x0e, ldq: 0x29, stq: 0x2d,
	br: 0x30, bsr: 0x34, beq: 0x39, bne: 0x3d,
	ret:     0x6bfa8001,
	syscall: 0x00000083, // callsys
	add:     operateOp{0x10, 0x20}, sub: operateOp{0x10, 0x29},
	and: operateOp{0x11, 0x00}, or: operateOp{0x11, 0x20}, xor: operateOp{0x11, 0x40},
	cmpeq: operateOp{0x10, 0x2d}, cmpult: operateOp{0x10, 0x1d},
	sll: operateOp{0x12, 0x39}, srl: operateOp{0x12, 0x34},
	literalBit: 1 << 12,
}

// isaSW64 is from target/sw64/translate.c of openEuler's QEMU 6.2 (translate_one
// and gen_op_l): ldi, ldih, ldbu, stb, ldl, stl; addl, subl, bis, sll, srl.
var isaSW64 = isa{
	lda: 0x3e, ldah: 0x3f, ldbu: 0x20, stb: 0x28, ldq: 0x23, stq: 0x2b,
	br: 0x04, bsr: 0x05, beq: 0x30, bne: 0x31,
	ret:     0x0bfa0001,
	syscall: 0x00000083, // sys_call
	add:     operateOp{0x10, 0x08}, sub: operateOp{0x10, 0x09},
	and: operateOp{0x10, 0x38}, or: operateOp{0x10, 0x3a}, xor: operateOp{0x10, 0x3c},
	cmpeq: operateOp{0x10, 0x28}, cmpult: operateOp{0x10, 0x2b},
	sll: operateOp{0x10, 0x48}, srl: operateOp{0x10, 0x49},
	literal: 2,
}

const (
	alphaV0   reg = 0
	alphaA3   reg = 19
	alphaRA   reg = 26
	alphaSP   reg = 30
	alphaZero reg = 31
)

func (alpha) registers() registers {
	// s0 to s5 keep values. v0 holds the number of a system call, a0 to a5 its
	// arguments.
	return registers{v: [6]reg{9, 10, 11, 12, 13, 14}, temp: 1, number: alphaV0, args: [6]reg{16, 17, 18, 19, 20, 21}}
}

// displaced encodes an instruction of two registers and a 16-bit displacement.
func displaced(opcode uint32, a, b reg, n uint64) uint32 {
	return opcode<<26 | uint32(a)<<21 | uint32(b)<<16 | uint32(n)&0xffff
}

func operate(op operateOp, c, a, b reg) uint32 {
	return op.opcode<<26 | uint32(a)<<21 | uint32(b)<<16 | op.function<<5 | uint32(c)
}

func (m alpha) byLiteral(op operateOp, c, a reg, n uint) uint32 {
	return (op.opcode+m.literal)<<26 | uint32(a)<<21 | uint32(n)<<13 | m.literalBit | op.function<<5 | uint32(c)
}

func (m alpha) immediate(d reg, value uint64) []byte {
	// The machine adds each 16-bit part with its sign. The part above makes up for a
	// negative one.
	d0 := value
	d1 := (d0 - uint64(int64(int16(d0)))) >> 16
	d2 := (d1 - uint64(int64(int16(d1)))) >> 16
	d3 := (d2 - uint64(int64(int16(d2)))) >> 16
	return words32(
		displaced(m.ldah, d, alphaZero, d3),
		displaced(m.lda, d, d, d2),
		m.byLiteral(m.sll, d, d, 32),
		displaced(m.ldah, d, d, d1),
		displaced(m.lda, d, d, d0))
}

func (m alpha) move(d, s reg) []byte { return words32(operate(m.or, d, s, alphaZero)) }

func (m alpha) binary(op operation, d, a, b reg) []byte {
	ops := [...]operateOp{add: m.add, sub: m.sub, and: m.and, or: m.or, xor: m.xor}
	return words32(operate(ops[op], d, a, b))
}

func (m alpha) increment(d, a reg, n int) []byte { return words32(displaced(m.lda, d, a, uint64(n))) }

func (m alpha) shift(left bool, d, a reg, n uint) []byte {
	if left {
		return words32(m.byLiteral(m.sll, d, a, n))
	}
	return words32(m.byLiteral(m.srl, d, a, n))
}

func (m alpha) load(size int, d, base reg, offset int) []byte {
	if size == 1 {
		return words32(displaced(m.ldbu, d, base, uint64(offset)))
	}
	return words32(displaced(m.ldq, d, base, uint64(offset)))
}

func (m alpha) store(size int, s, base reg, offset int) []byte {
	if size == 1 {
		return words32(displaced(m.stb, s, base, uint64(offset)))
	}
	return words32(displaced(m.stq, s, base, uint64(offset)))
}

func (m alpha) branch(c condition, a, b reg) ([]byte, int) {
	flag := m.registers().temp
	compare, opcode := m.cmpeq, m.bne
	if c == below || c == aboveEqual {
		compare = m.cmpult
	}
	if c == notEqual || c == aboveEqual {
		opcode = m.beq
	}
	return words32(operate(compare, flag, a, b), displaced(opcode, flag, 0, 0)), 0
}

func (m alpha) jump() ([]byte, int) { return words32(displaced(m.br, alphaZero, 0, 0)), 0 }
func (m alpha) call() ([]byte, int) { return words32(displaced(m.bsr, alphaRA, 0, 0)), 0 }

func (m alpha) enter() []byte {
	return append(m.increment(alphaSP, alphaSP, -16), m.store(8, alphaRA, alphaSP, 0)...)
}

func (m alpha) leave() []byte {
	b := append(m.load(8, alphaRA, alphaSP, 0), m.increment(alphaSP, alphaSP, 16)...)
	return append(b, words32(m.ret)...)
}

func (m alpha) stack(d reg) []byte { return m.move(d, alphaSP) }

func (m alpha) trap(d reg) []byte {
	b := words32(m.syscall,
		displaced(m.beq, alphaA3, 0, 1), // skip the next instruction
		operate(m.sub, alphaV0, alphaZero, alphaV0))
	return append(b, m.move(d, alphaV0)...)
}

func (alpha) resolve(code []byte, end, target int) error { return displace(code, end, end, target, 21) }
