// Package stackpool hands out stacks in two tiers: from a small cache per
// processor first, from spans of mapped memory second. A stack is zero-filled
// when it is handed out, and may have a page without access below it.
//
// Zeroing is what an allocator of stacks pays for. Who returns a stack says how
// much of it was written, and only that is cleared, when it is handed out again;
// Options.Verify tells whether what was said is true.
package stackpool

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/sys"
)

const (
	// smallest is the size of the smallest class, bytes, where a page is not
	// larger: a g0 stack of Go up to 1.19 (8 KiB × StackGuardMultiplier).
	smallest = 8 << 10
	// largest is the size of the largest class, bytes: what a pthread gets by
	// the usual RLIMIT_STACK.
	largest = 8 << 20
	// classes is how many there are at most: each doubles the one before.
	classes = 11
	// DefaultIdle is Options.Idle when that is 0, bytes.
	DefaultIdle = 16 << 20
	// discardAbove is how many written bytes are given back to the kernel
	// instead of being cleared. Clearing is faster at every size (BenchmarkClear:
	// by a factor of ten and more), but this much memory is not kept from others
	// for the sake of speed.
	discardAbove = 128 << 10
)

// ErrTooLarge says that no class holds a stack of the size that was asked for.
var ErrTooLarge = errors.New("larger than the largest stack of a pool")

// Options are what a Pool does beyond handing out memory.
type Options struct {
	// Flags are given to mmap beside MAP_PRIVATE and MAP_ANONYMOUS: MAP_STACK of
	// the architecture, or none.
	Flags uint64
	// Guard puts a page without access below every stack. Each costs two more
	// mappings, of vm.max_map_count.
	Guard bool
	// Idle is how much mapped memory, in bytes, may lie in spans that nobody uses;
	// what exceeds it is unmapped. 0 is DefaultIdle. The caches of the processors
	// hold up to 3 MiB each besides.
	Idle uintptr
	// Verify looks at all memory that a returned stack is said not to have
	// written, and panics where it was. It is slow, and for tests.
	Verify bool
}

// Pool hands out stacks. Its methods may be called by any goroutine.
type Pool struct {
	calls   calls
	table   abi.Table
	page    uintptr
	options Options

	classes [classes]class
	count   int // of the classes that there are
	caches  []cache
	next    uint32
	hints   sync.Pool // of *hint
	idle    uintptr   // bytes of spans that nobody uses
	mapped  uintptr   // bytes of all spans
}

// calls is what a pool needs of the kernel; sys.Kernel has it.
type calls interface {
	Mmap(addr, length uintptr, prot, flags uint64, fd int, offset int64) (uintptr, syscall.Errno)
	Munmap(addr, length uintptr) syscall.Errno
	Mprotect(addr, length uintptr, prot uint64) syscall.Errno
	Madvise(addr, length uintptr, advice uint64) syscall.Errno
}

// New returns a pool that has mapped nothing yet.
func New(k *sys.Kernel, o Options) *Pool {
	return newPool(k, k.Table, uintptr(os.Getpagesize()), o)
}

func newPool(c calls, table abi.Table, page uintptr, o Options) *Pool {
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	p := &Pool{calls: c, table: table, page: page, options: o, caches: make([]cache, runtime.GOMAXPROCS(0))}
	p.hints.New = func() interface{} {
		return &hint{int(atomic.AddUint32(&p.next, 1)-1) % len(p.caches)}
	}
	for size := max(smallest, page); size <= largest; size *= 2 {
		c := &p.classes[p.count]
		c.pool, c.index, c.size = p, p.count, size
		p.count++
	}
	return p
}

// Stack is a stack that is in use, from Base to Top. It may be copied.
type Stack struct {
	slot *slot
	// ticket is the state of the slot while this stack is in use; no other use
	// of the slot has the same.
	ticket uint32
}

// Base is the lowest address of the stack.
func (s Stack) Base() uintptr { return s.slot.base }

// Top is the address after the last byte.
func (s Stack) Top() uintptr { return s.slot.base + s.slot.span.class.size }

// Size is in bytes, and at least what was asked for.
func (s Stack) Size() uintptr { return s.slot.span.class.size }

// Bytes is the memory of the stack, valid until it is returned.
func (s Stack) Bytes() []byte { return memory(s.Base(), s.Size()) }

// Get hands out a stack of at least size bytes, all of them zero. It fails with
// ErrTooLarge, or with an *Error when the kernel gives no memory: that is asked
// for once, and what it means is for the caller to say.
func (p *Pool) Get(size uintptr) (Stack, error) {
	i := p.classOf(size)
	if i < 0 {
		return Stack{}, fmt.Errorf("get a stack of %d bytes: %w, %d bytes", size, ErrTooLarge, largest)
	}
	d, err := p.fetch(i)
	if err != nil {
		return Stack{}, fmt.Errorf("get a stack of %d bytes: %w", size, err)
	}
	if d.dirty != 0 {
		zero(memory(d.base+p.classes[i].size-d.dirty, d.dirty))
		d.dirty = 0
	}
	return Stack{d, atomic.AddUint32(&d.state, 1)}, nil
}

// Put takes a stack back. used is how many bytes below its top may have been
// written, Size when that is not known. A stack that is not in use, or not of
// this pool, is a mistake of the program that may already have corrupted memory,
// so Put panics.
func (p *Pool) Put(s Stack, used uintptr) {
	d := s.slot
	if d == nil {
		panic("stackpool: Put of a stack that no Get returned")
	}
	if d.span.class.pool != p {
		panic(fmt.Sprintf("stackpool: Put of the stack at %#x, which is another pool's", d.base))
	}
	size := d.span.class.size
	if used > size {
		panic(fmt.Sprintf("stackpool: Put of the stack at %#x of %d bytes, of which %d are said to be written", d.base, size, used))
	}
	if p.options.Verify {
		if at, ok := written(memory(d.base, size-used)); ok {
			panic(fmt.Sprintf("stackpool: Put of the stack at %#x: the byte at %#x was written, below the %d that are said to be", d.base, d.base+at, used))
		}
	}
	if !atomic.CompareAndSwapUint32(&d.state, s.ticket, s.ticket+1) {
		panic(fmt.Sprintf("stackpool: Put of the stack at %#x, which was returned before", d.base))
	}
	d.dirty = used
	if used > discardAbove {
		p.discard(d)
	}
	p.keep(d)
}

// discard gives the written pages of a stack back to the kernel, which has
// zeroes for the next who touches them. What it refuses is cleared later.
func (p *Pool) discard(d *slot) {
	length := (d.dirty + p.page - 1) &^ (p.page - 1)
	if p.calls.Madvise(d.base+d.span.class.size-length, length, p.table.Madv.DontNeed) == 0 {
		d.dirty = 0
	}
}

// classOf is the index of the smallest class that holds size bytes, -1 for none.
func (p *Pool) classOf(size uintptr) int {
	for i := 0; i < p.count; i++ {
		if size <= p.classes[i].size {
			return i
		}
	}
	return -1
}

// Trim unmaps everything that nobody uses, also from the caches of processors,
// and returns how many bytes are mapped still.
func (p *Pool) Trim() uintptr {
	for i := range p.caches {
		c := &p.caches[i]
		for !c.lock() {
			runtime.Gosched()
		}
		for j := 0; j < p.count; j++ {
			s := &c.shelves[j]
			p.classes[j].give(s.slots[:s.n])
			s.n = 0
		}
		c.unlock()
	}
	for i := 0; i < p.count; i++ {
		p.classes[i].trim()
	}
	return atomic.LoadUintptr(&p.mapped)
}

func max(a, b uintptr) uintptr {
	if a > b {
		return a
	}
	return b
}
