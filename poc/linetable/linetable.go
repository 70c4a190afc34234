// Package linetable reads the table of functions in a Go program. It tells how far
// a function has moved the stack pointer. A stack walk finds the caller by that
// where Go keeps no frame pointer.
package linetable

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"sort"
)

// The layout of Go's runtime/symtab.go since 1.18. The magic numbers are in
// internal/abi/symtab.go.
const (
	magic118 = 0xfffffff0
	magic120 = 0xfffffff1

	headerWords = 8 // words of pointer size, after the first eight bytes
	wordNfunc   = 0
	wordText    = 2 // zero since 1.26
	wordPctab   = 6
	wordFuncs   = 7

	pcspOffset = 16 // in struct _func, bytes
)

// section is the ELF section of the table.
const section = ".gopclntab"

// Table describes the functions of one program.
type Table struct {
	order   binary.ByteOrder
	text    uint64 // address of the code
	quantum uint64 // size of the smallest instruction, bytes
	pctab   []byte
	funcs   []byte // pairs of an offset in the code and an offset in funcs, then each struct _func
	n       int    // number of functions
}

// Read reads the table of an ELF file that Go linked without cgo.
func Read(path string) (*Table, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s for its table of functions: %w", path, err)
	}
	defer f.Close()
	s, text := f.Section(section), f.Section(".text")
	if s == nil || text == nil {
		return nil, fmt.Errorf("%s has no %s or no .text: no Go program", path, section)
	}
	data, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", section, path, err)
	}
	t, err := parse(data, f.ByteOrder, text.Addr)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", section, path, err)
	}
	return t, nil
}

// parse checks the header and the offsets in it.
func parse(data []byte, order binary.ByteOrder, text uint64) (*Table, error) {
	const head = 8
	if len(data) < head+8*headerWords {
		return nil, fmt.Errorf("%d bytes are no table", len(data))
	}
	if magic := order.Uint32(data); magic != magic118 && magic != magic120 {
		return nil, fmt.Errorf("version %#x; only those since Go 1.18 are known", magic)
	}
	if data[7] != 8 || data[6] == 0 {
		return nil, fmt.Errorf("pointers of %d bytes, instructions of %d", data[7], data[6])
	}
	word := func(i int) uint64 { return order.Uint64(data[head+8*i:]) }
	size := uint64(len(data))
	pctab, funcs, n := word(wordPctab), word(wordFuncs), word(wordNfunc)
	// There is a pair for each function, and half a pair for the end of the last
	// one.
	if pctab > size || funcs > size || n > (size-funcs)/8 || 8*n+4 > size-funcs {
		return nil, fmt.Errorf("%d functions at %#x and their tables at %#x do not fit in %d bytes", n, funcs, pctab, size)
	}
	if start := word(wordText); start != 0 {
		text = start
	}
	return &Table{order: order, text: text, quantum: uint64(data[6]), pctab: data[pctab:], funcs: data[funcs:], n: int(n)}, nil
}

// entry returns where a function begins, as an offset from the start of the code.
// The entry after the last function is its end.
func (t *Table) entry(i int) uint64 { return uint64(t.order.Uint32(t.funcs[8*i:])) }

// Moved returns how far the stack pointer is below its value at the function's
// entry, in bytes, when the instruction at pc runs. entry is the address of that
// function. It must be in the table, so that the table of another program is
// noticed.
func (t *Table) Moved(entry, pc uint64) (uint64, error) {
	if pc < t.text || entry < t.text || pc < entry {
		return 0, fmt.Errorf("%#x is not in a function that begins at %#x", pc, entry)
	}
	off := pc - t.text
	i := sort.Search(t.n, func(i int) bool { return t.entry(i) > off }) - 1
	if i < 0 || t.entry(i) != entry-t.text || off >= t.entry(i+1) {
		return 0, fmt.Errorf("no function that begins at %#x has %#x", entry, pc)
	}
	at := uint64(t.order.Uint32(t.funcs[8*i+4:]))
	if at+pcspOffset+4 > uint64(len(t.funcs)) {
		return 0, fmt.Errorf("the function at %#x is described beyond the table", entry)
	}
	moved, err := t.value(uint64(t.order.Uint32(t.funcs[at+pcspOffset:])), off-t.entry(i))
	if err != nil {
		return 0, fmt.Errorf("the function at %#x: %w", entry, err)
	}
	if moved < 0 {
		return 0, fmt.Errorf("at %#x the stack pointer is said to be %d bytes above its caller's", pc, -moved)
	}
	return uint64(moved), nil
}

// value returns the value that holds at an offset in a function. The table lists
// changes, each with the number of instructions for which it holds.
func (t *Table) value(at, offset uint64) (int64, error) {
	value, end := int32(-1), uint64(0)
	for first := true; ; first = false {
		change, next, ok := t.varint(at)
		if !ok || change == 0 && !first {
			break
		}
		length, after, ok := t.varint(next)
		if !ok {
			break
		}
		if change&1 != 0 {
			value += int32(^(change >> 1))
		} else {
			value += int32(change >> 1)
		}
		end += uint64(length) * t.quantum
		if offset < end {
			return int64(value), nil
		}
		at = after
	}
	return 0, fmt.Errorf("nothing is said of offset %#x", offset)
}

// varint reads a number of at most 32 bits, with seven bits in each byte.
func (t *Table) varint(at uint64) (value uint32, next uint64, ok bool) {
	for shift := uint(0); shift < 35; shift += 7 {
		if at >= uint64(len(t.pctab)) {
			return 0, 0, false
		}
		b := t.pctab[at]
		at++
		value |= uint32(b&0x7f) << shift
		if b&0x80 == 0 {
			return value, at, true
		}
	}
	return 0, 0, false
}
