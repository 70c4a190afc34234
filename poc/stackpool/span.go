package stackpool

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// spanBytes is how much a span maps, guards aside, unless one stack needs more.
const spanBytes = 512 << 10

// maxSlots bounds the stacks of a span: all its slots must be free before it is
// unmapped.
const maxSlots = 16

// class is the second tier for stacks of one size: spans, under a lock.
type class struct {
	pool  *Pool
	index int     // in Pool.classes
	size  uintptr // bytes of a stack

	mu   sync.Mutex
	open []*span // those that have a free slot, in no order
}

// span is one mapping, cut into slots.
type span struct {
	class *class
	base  uintptr
	bytes uintptr // of the mapping
	slots []slot
	free  []*slot
	at    int // in class.open while there is a free slot
}

// slot is the place of one stack.
type slot struct {
	span *span
	base uintptr
	// state counts how often the slot was handed out and returned: it is odd
	// while a stack is in use.
	state uint32
	// dirty is how many bytes below the top are not known to be zero. It belongs
	// to whom the slot belongs to, and so does home.
	dirty uintptr
	// home is the cache that it was last taken from, nil for none.
	home *cache
}

// one takes one free slot.
func (c *class) one() (*slot, error) {
	var into [1]*slot
	if _, err := c.take(into[:]); err != nil {
		return nil, err
	}
	return into[0], nil
}

// take fills into with free slots, at least one, and returns how many.
func (c *class) take(into []*slot) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(into) {
		if len(c.open) == 0 {
			if n > 0 { // what is not asked for yet is not mapped
				return n, nil
			}
			s, err := c.grow()
			if err != nil {
				return 0, err
			}
			c.list(s)
		}
		s := c.open[len(c.open)-1]
		if len(s.free) == len(s.slots) {
			atomic.AddUintptr(&c.pool.idle, -s.bytes)
		}
		for len(s.free) > 0 && n < len(into) {
			into[n] = s.free[len(s.free)-1]
			s.free = s.free[:len(s.free)-1]
			n++
		}
		if len(s.free) == 0 {
			c.unlist(s)
		}
	}
	return n, nil
}

// give puts slots back into their spans.
func (c *class) give(slots []*slot) {
	if len(slots) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range slots {
		s := d.span
		s.free = append(s.free, d)
		if len(s.free) == 1 {
			c.list(s)
		}
		if len(s.free) == len(s.slots) &&
			atomic.AddUintptr(&c.pool.idle, s.bytes) > c.pool.options.Idle {
			c.release(s)
		}
	}
}

// trim unmaps the spans that nobody uses.
func (c *class) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.open) - 1; i >= 0; i-- {
		// release fills the gap with the last, which was looked at already.
		if s := c.open[i]; len(s.free) == len(s.slots) {
			c.release(s)
		}
	}
}

// grow maps a span. Nothing remains of one that cannot be made whole.
func (c *class) grow() (*span, error) {
	p := c.pool
	stride, count := c.size, spanBytes/c.size
	if p.options.Guard {
		stride += p.page
	}
	if count == 0 {
		count = 1
	} else if count > maxSlots {
		count = maxSlots
	}
	s := &span{class: c, bytes: stride * count, slots: make([]slot, count), free: make([]*slot, 0, count)}
	prot := p.table.Prot.Read | p.table.Prot.Write
	flags := p.table.Map.Private | p.table.Map.Anonymous | p.options.Flags
	base, errno := p.calls.Mmap(0, s.bytes, prot, flags, -1, 0)
	if errno != 0 {
		return nil, p.failure(fmt.Sprintf("mmap(0, %d, %#x, %#x)", s.bytes, prot, flags), errno)
	}
	s.base = base
	for i := range s.slots {
		at := base + uintptr(i)*stride
		if p.options.Guard {
			if errno := p.calls.Mprotect(at, p.page, 0); errno != 0 {
				p.calls.Munmap(base, s.bytes)
				return nil, p.failure(fmt.Sprintf("mprotect(%#x, %d, 0)", at, p.page), errno)
			}
			at += p.page
		}
		s.slots[i] = slot{span: s, base: at}
	}
	// The lowest is handed out first.
	for i := len(s.slots) - 1; i >= 0; i-- {
		s.free = append(s.free, &s.slots[i])
	}
	atomic.AddUintptr(&p.mapped, s.bytes)
	atomic.AddUintptr(&p.idle, s.bytes)
	return s, nil
}

// release unmaps a span. When the kernel refuses, because it merged the mapping
// with another and has no room for one mapping more, the span stays as it is.
func (c *class) release(s *span) {
	if c.pool.calls.Munmap(s.base, s.bytes) != 0 {
		return
	}
	c.unlist(s)
	atomic.AddUintptr(&c.pool.idle, -s.bytes)
	atomic.AddUintptr(&c.pool.mapped, -s.bytes)
}

func (c *class) list(s *span) {
	s.at = len(c.open)
	c.open = append(c.open, s)
}

func (c *class) unlist(s *span) {
	last := c.open[len(c.open)-1]
	c.open[s.at], last.at = last, s.at
	c.open = c.open[:len(c.open)-1]
}

func (p *Pool) failure(call string, errno syscall.Errno) error {
	return &Error{Call: call, Errno: errno, Name: p.table.ErrnoName(int(errno))}
}

// Error is a call of a pool that failed.
type Error struct {
	Call  string // as a person would write it
	Errno syscall.Errno
	Name  string // that the architecture has for the number, "" for none
}

func (e *Error) Error() string { return fmt.Sprintf("%s: errno %d %s", e.Call, int(e.Errno), e.Name) }

// memory is what lies at an address outside of Go's own memory. The address goes
// through a pointer to it because vet rightly distrusts the plain conversion.
func memory(at, length uintptr) []byte {
	return (*[largest]byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at)))[:length:length]
}

func zero(b []byte) {
	for i := range b {
		b[i] = 0
	}
}

// written finds the first byte that is not zero.
func written(b []byte) (uintptr, bool) {
	for i := range b {
		if b[i] != 0 {
			return uintptr(i), true
		}
	}
	return 0, false
}
