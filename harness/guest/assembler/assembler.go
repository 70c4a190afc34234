package assembler

import (
	"encoding/binary"
	"fmt"
)

// reg is a register by its number on the machine.
type reg uint32

// registers is where a machine keeps what the program works with.
type registers struct {
	// v survive system calls and are no arguments of one.
	v [6]reg
	// temp holds constants between two instructions, and is lost by the next
	// operation.
	temp reg
	// number and args are the system call's.
	number reg
	args   [6]reg
}

// operation is one that takes two registers.
type operation int

const (
	add operation = iota
	sub
	and
	or
	xor
)

// condition compares two registers; below and aboveEqual without sign.
type condition int

const (
	equal condition = iota
	notEqual
	below
	aboveEqual
)

// encoder is the instructions of one machine. An operation may become several.
type encoder interface {
	registers() registers
	immediate(d reg, value uint64) []byte
	move(d, s reg) []byte
	binary(op operation, d, a, b reg) []byte
	// increment adds a small number, within ±2047.
	increment(d, a reg, n int) []byte
	shift(left bool, d, a reg, n uint) []byte
	// load and store move one byte or eight, at an offset from 0 to 2040.
	load(size int, d, base reg, offset int) []byte
	store(size int, s, base reg, offset int) []byte
	// branch, jump and call end with the instruction that resolve points at
	// its target; tail is the bytes behind that instruction.
	branch(c condition, a, b reg) (code []byte, tail int)
	jump() (code []byte, tail int)
	call() (code []byte, tail int)
	// enter begins a routine, leave returns from it.
	enter() []byte
	leave() []byte
	// stack copies the stack pointer.
	stack(d reg) []byte
	// trap makes the system call that the argument registers hold and copies its
	// result, minus the errno for one that failed.
	trap(d reg) []byte
	// resolve completes the instruction that ends at end, so that it goes to target.
	resolve(code []byte, end, target int) error
}

// label is a place in the code.
type label int

type fixup struct {
	end int
	to  label
}

// assembler collects code and data of a program.
type assembler struct {
	encoder
	r        registers
	code     []byte
	data     []byte
	reserved uint64 // bytes behind reservedBase
	places   []int  // by label, -1 until it is placed
	fixups   []fixup
	texts    map[string]uint64
}

// The program's addresses. Above 4 GiB, as Alpha's and MIPS's programs are.
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

// here is a new label at this place.
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

// when goes to l if the comparison holds.
func (a *assembler) when(c condition, x, y reg, l label) {
	code, tail := a.branch(c, x, y)
	a.to(l, code, tail)
}

// whenIs is when with a constant.
func (a *assembler) whenIs(c condition, x reg, value uint64, l label) {
	a.set(a.r.temp, value)
	a.when(c, x, a.r.temp, l)
}

// variable reserves eight bytes.
func (a *assembler) variable() uint64 { return a.space(8) }

// space reserves bytes that begin as zero.
func (a *assembler) space(bytes uint64) uint64 {
	at := reservedBase + a.reserved
	a.reserved += (bytes + 15) &^ 15
	return at
}

// text keeps bytes once and returns where.
func (a *assembler) text(s string) uint64 {
	at, ok := a.texts[s]
	if !ok {
		at = dataBase + uint64(len(a.data))
		a.data = append(a.data, s...)
		a.texts[s] = at
	}
	return at
}

// words keeps numbers and returns where.
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

// get reads a variable.
func (a *assembler) get(d reg, variable uint64) {
	a.set(d, variable)
	a.emit(a.load(8, d, d, 0))
}

// put writes a variable.
func (a *assembler) put(variable uint64, s reg) {
	a.set(a.r.temp, variable)
	a.emit(a.store(8, s, a.r.temp, 0))
}

// argument is a system call's: a number, or what a variable holds.
type argument struct {
	value uint64
	held  bool
}

func number(v uint64) argument { return argument{value: v} }

func held(variable uint64) argument { return argument{variable, true} }

// system makes a system call. The result is in d.
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

// link completes the code.
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

// words32 is instructions of 32 bits.
func words32(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// displace puts a distance in instructions, counted from origin, into the low
// bits of the instruction that ends at end.
func displace(code []byte, end, origin, target int, bits uint) error {
	distance := (target - origin) / 4
	if limit := 1 << (bits - 1); distance < -limit || distance >= limit {
		return fmt.Errorf("a branch over %d instructions does not fit in %d bits", distance, bits)
	}
	at := code[end-4 : end]
	binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)|uint32(distance)&(1<<bits-1))
	return nil
}
