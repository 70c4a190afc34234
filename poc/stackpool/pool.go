// Package stackpool hands out stacks in two tiers: first from a small cache per
// processor, then from spans of mapped memory. A stack is zero when it is handed
// out, and may have an inaccessible page below it.
//
// Zeroing is the main cost. Whoever returns a stack says how much of it was
// written, and only that part is cleared before it is handed out again.
// Options.Verify checks that what was said is true.
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
	// smallest is the size of the smallest class in bytes, unless a page is larger.
	// It is a g0 stack of Go up to 1.19 (8 KiB × StackGuardMultiplier).
	smallest = 8 << 10
	// largest is the size of the largest class in bytes. It is a pthread's stack
	// under the usual RLIMIT_STACK.
	largest = 8 << 20
	// classes is the largest number of classes. Each is twice as large as the one
	// before.
	classes = 11
	// DefaultIdle replaces Options.Idle if that is 0, in bytes.
	DefaultIdle = 16 << 20
	// discardAbove is the number of written bytes above which the memory is given
	// back to the kernel instead of being cleared. Clearing is faster at every size
	// (BenchmarkClear: by a factor of ten and more). But this much memory should not
	// be kept from others for the sake of speed.
	discardAbove = 128 << 10
)

// ErrTooLarge means that no class has stacks of the requested size.
var ErrTooLarge = errors.New("larger than the largest stack of a pool")

// Options changes how a Pool maps memory and how much it keeps.
type Options struct {
	// Flags are given to mmap beside MAP_PRIVATE and MAP_ANONYMOUS: the
	// architecture's MAP_STACK, or none.
	Flags uint64
	// Guard puts an inaccessible page below every stack. Each guard costs two more
	// mappings of vm.max_map_count.
	Guard bool
	// Idle bounds the mapped memory, in bytes, of spans without a stack in use. What
	// exceeds it is unmapped. 0 means DefaultIdle. The caches hold up to 3 MiB more
	// per processor.
	Idle uintptr
	// Verify checks the part of a returned stack that is said not to be written, and
	// panics if it was. It is slow, and meant for tests.
	Verify bool
}

// Pool hands out stacks. Its methods are safe for concurrent use.
type Pool struct {
	calls   calls
	table   abi.Table
	page    uintptr
	options Options

	classes [classes]class
	count   int // number of classes in use
	caches  []cache
	next    uint32
	hints   sync.Pool // of *hint
	idle    uintptr   // bytes of spans without a stack in use
	mapped  uintptr   // bytes of all spans
}

// calls are the system calls that a pool needs. sys.Kernel has them.
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

// Stack is a stack in use, from Base to Top. It may be copied.
type Stack struct {
	slot *slot
	// ticket is the state of the slot while this stack is in use. No other use of
	// the slot has the same state.
	ticket uint32
}

// Base returns the lowest address of the stack.
func (s Stack) Base() uintptr { return s.slot.base }

// Top returns the address after the last byte.
func (s Stack) Top() uintptr { return s.slot.base + s.slot.span.class.size }

// Size returns the size in bytes, which is at least the requested size.
func (s Stack) Size() uintptr { return s.slot.span.class.size }

// Bytes returns the memory of the stack, which is valid until the stack is
// returned.
func (s Stack) Bytes() []byte { return memory(s.Base(), s.Size()) }

// Get returns a stack of at least size bytes, all of them zero. It fails with
// ErrTooLarge, or with an *Error if the kernel gives no memory. The kernel is asked
// once; the caller decides what a refusal means.
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

// Put takes a stack back. used is the number of bytes below its top that may have
// been written, or Size if that is not known. Put panics if the stack is not in use
// or not of this pool: such a mistake may already have corrupted memory.
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

// discard gives the written pages of a stack back to the kernel, which gives zeroes
// when they are next touched. If the kernel refuses, they are cleared later.
func (p *Pool) discard(d *slot) {
	length := (d.dirty + p.page - 1) &^ (p.page - 1)
	if p.calls.Madvise(d.base+d.span.class.size-length, length, p.table.Madv.DontNeed) == 0 {
		d.dirty = 0
	}
}

// classOf returns the index of the smallest class with at least size bytes, -1 for
// none.
func (p *Pool) classOf(size uintptr) int {
	for i := 0; i < p.count; i++ {
		if size <= p.classes[i].size {
			return i
		}
	}
	return -1
}

// Trim unmaps everything that is not in use, also from the processors' caches. It
// returns the number of bytes that are still mapped.
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
