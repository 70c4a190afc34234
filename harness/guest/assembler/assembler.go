package assembler

import (
	"encoding/binary"
	"fmt"
)

// reg is the machine's number of a register.
type reg uint32

// registers assigns the registers of a machine to the program's purposes.
type registers struct {
	// v keep their values across system calls and are not used for arguments.
	v [6]reg
	// temp holds a constant between two instructions. The next operation overwrites
	// it.
	temp reg
	// number and args hold the number and the arguments of a system call.
	number reg
	args   [6]reg
}

// operation is an operation on two registers.
type operation int

const (
	add operation = iota
	sub
	and
	or
	xor
)

// condition compares two registers. below and aboveEqual compare without sign.
type condition int

const (
	equal condition = iota
	notEqual
	below
	aboveEqual
)

// encoder encodes the instructions of one machine. One operation may become several
// instructions.
type encoder interface {
	registers() registers
	immediate(d reg, value uint64) []byte
	move(d, s reg) []byte
	binary(op operation, d, a, b reg) []byte
	// increment adds n, which must be within ±2047.
	increment(d, a reg, n int) []byte
	shift(left bool, d, a reg, n uint) []byte
	// load and store move one byte or eight. The offset must be from 0 to 2040.
	load(size int, d, base reg, offset int) []byte
	store(size int, s, base reg, offset int) []byte
	// branch, jump and call end with the instruction whose target resolve fills in,
	// followed by tail bytes.
	branch(c condition, a, b reg) (code []byte, tail int)
	jump() (code []byte, tail int)
	call() (code []byte, tail int)
	// enter begins a routine; leave returns from it.
	enter() []byte
	leave() []byte
	// stack copies the stack pointer to d.
	stack(d reg) []byte
	// trap makes the system call that the registers hold and copies its result to d.
	// A call that failed gives minus its errno.
	trap(d reg) []byte
	// resolve fills in the target of the instruction that ends at end.
	resolve(code []byte, end, target int) error
}

// label names a place in the code.
type label int

type fixup struct {
	end int
	to  label
}

// assembler collects the code and the data of a program.
type assembler struct {
	encoder
	r        registers
	code     []byte
	data     []byte
	reserved uint64 // bytes used from reservedBase on
	places   []int  // offset in the code by label, -1 until it is placed
	fixups   []fixup
	texts    map[string]uint64
}

// The addresses lie above 4 GiB, as those of Alpha's and MIPS's programs do.
const (
	codeBase     = 0x120000000
	dataBase     = codeBase + 0x1000000
	reservedBase = dataBase + 0x100000
)

func newAssembler(e encoder) *assembler {
	return &assembler{encoder: e, r: e.registers(), texts: map[string]uint64{}}
}

func (a *assembler) emit(code []byte) { a.code = append(a.code, code...) }

func (a *assembler) label() label {
	a.places = append(a.places, -1)
	return label(len(a.places) - 1)
}

func (a *assembler) place(l label) { a.places[l] = len(a.code) }

// here returns a new label at the end of the code.
func (a *assembler) here() label {
	l := a.label()
	a.place(l)
	return l
}

func (a *assembler) to(l label, code []byte, tail int) {
	a.emit(code)
	a.fixups = append(a.fixups, fixup{len(a.code) - tail, l})
}

func (a *assembler) set(d reg, value uint64) { a.emit(a.immediate(d, value)) }

func (a *assembler) goTo(l label) {
	code, tail := a.jump()
	a.to(l, code, tail)
}

func (a *assembler) callTo(l label) {
	code, tail := a.call()
	a.to(l, code, tail)
}

// when branches to l if the comparison holds.
func (a *assembler) when(c condition, x, y reg, l label) {
	code, tail := a.branch(c, x, y)
	a.to(l, code, tail)
}

// whenIs branches to l if x compares so with a constant.
func (a *assembler) whenIs(c condition, x reg, value uint64, l label) {
	a.set(a.r.temp, value)
	a.when(c, x, a.r.temp, l)
}

// variable reserves eight bytes and returns their address.
func (a *assembler) variable() uint64 { return a.space(8) }

// space reserves bytes, which start as zero, and returns their address.
func (a *assembler) space(bytes uint64) uint64 {
	at := reservedBase + a.reserved
	a.reserved += (bytes + 15) &^ 15
	return at
}

// text stores s once and returns its address.
func (a *assembler) text(s string) uint64 {
	at, ok := a.texts[s]
	if !ok {
		at = dataBase + uint64(len(a.data))
		a.data = append(a.data, s...)
		a.texts[s] = at
	}
	return at
}

// words stores numbers of 64 bits and returns their address.
func (a *assembler) words(values ...uint64) uint64 {
	for len(a.data)%8 != 0 {
		a.data = append(a.data, 0)
	}
	at := dataBase + uint64(len(a.data))
	for _, v := range values {
		a.data = binary.LittleEndian.AppendUint64(a.data, v)
	}
	return at
}

// get loads a variable into d.
func (a *assembler) get(d reg, variable uint64) {
	a.set(d, variable)
	a.emit(a.load(8, d, d, 0))
}

// put stores s in a variable.
func (a *assembler) put(variable uint64, s reg) {
	a.set(a.r.temp, variable)
	a.emit(a.store(8, s, a.r.temp, 0))
}

// argument is one of a system call: a number, or the content of a variable.
type argument struct {
	value uint64
	held  bool
}

func number(v uint64) argument { return argument{value: v} }

func held(variable uint64) argument { return argument{variable, true} }

// system makes a system call and leaves its result in d.
func (a *assembler) system(d reg, call uint64, args ...argument) {
	for i, arg := range args {
		a.set(a.r.args[i], arg.value)
		if arg.held {
			a.emit(a.load(8, a.r.args[i], a.r.args[i], 0))
		}
	}
	a.set(a.r.number, call)
	a.emit(a.trap(d))
}

// link fills in the targets of all branches.
func (a *assembler) link() error {
	for _, f := range a.fixups {
		target := a.places[f.to]
		if target < 0 {
			return fmt.Errorf("label %d is used and stands nowhere", f.to)
		}
		if err := a.resolve(a.code, f.end, target); err != nil {
			return err
		}
	}
	if n := uint64(len(a.data)); n > reservedBase-dataBase {
		return fmt.Errorf("%d bytes of data do not fit", n)
	}
	return nil
}

// words32 returns instructions of 32 bits as bytes.
func words32(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// displace puts the distance from origin to target, in instructions, into the
// instruction that ends at end. The distance takes its lowest bits.
func displace(code []byte, end, origin, target int, bits uint) error {
	distance := (target - origin) / 4
	if limit := 1 << (bits - 1); distance < -limit || distance >= limit {
		return fmt.Errorf("a branch over %d instructions does not fit in %d bits", distance, bits)
	}
	at := code[end-4 : end]
	binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)|uint32(distance)&(1<<bits-1))
	return nil
}
