package stackpool

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// spanBytes is the size of a span without guards, unless one stack needs more.
const spanBytes = 512 << 10

// maxSlots bounds the stacks of a span. A span can be unmapped only when all its
// slots are free.
const maxSlots = 16

// class is the second tier for stacks of one size: spans, under a lock.
type class struct {
	pool  *Pool
	index int     // index in Pool.classes
	size  uintptr // size of a stack, bytes

	mu   sync.Mutex
	open []*span // spans with a free slot, in no order
}

// span is one mapping, divided into slots.
type span struct {
	class *class
	base  uintptr
	bytes uintptr // size of the mapping
	slots []slot
	free  []*slot
	at    int // index in class.open while there is a free slot
}

// slot is the place of one stack.
type slot struct {
	span *span
	base uintptr
	// state counts how often the slot was handed out and returned. It is odd while a
	// stack is in use.
	state uint32
	// dirty is the number of bytes below the top that may not be zero. Only the
	// owner of the slot may use dirty and home.
	dirty uintptr
	// home is the cache from which the slot was last taken, nil for none.
	home *cache
}

// one takes a free slot.
func (c *class) one() (*slot, error) {
	var into [1]*slot
	if _, err := c.take(into[:]); err != nil {
		return nil, err
	}
	return into[0], nil
}

// take fills into with free slots, at least one, and returns their number.
func (c *class) take(into []*slot) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(into) {
		if len(c.open) == 0 {
			if n > 0 { // more is not mapped before it is needed
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

// trim unmaps the spans without a stack in use.
func (c *class) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.open) - 1; i >= 0; i-- {
		// release moves the last span here, which has been checked already.
		if s := c.open[i]; len(s.free) == len(s.slots) {
			c.release(s)
		}
	}
}

// grow maps a span. If that fails half-way, everything is unmapped.
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
	// The lowest slot is handed out first.
	for i := len(s.slots) - 1; i >= 0; i-- {
		s.free = append(s.free, &s.slots[i])
	}
	atomic.AddUintptr(&p.mapped, s.bytes)
	atomic.AddUintptr(&p.idle, s.bytes)
	return s, nil
}

// release unmaps a span. The kernel refuses if it merged the mapping with another
// and has no room for one more mapping. The span then stays in use.
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

// Error describes a call of a pool that failed.
type Error struct {
	Call  string // as a person would write it
	Errno syscall.Errno
	Name  string // the architecture's name for the number, "" for none
}

func (e *Error) Error() string { return fmt.Sprintf("%s: errno %d %s", e.Call, int(e.Errno), e.Name) }

// memory returns the memory at an address outside Go's own memory. It converts
// through the address of the number, because vet rightly distrusts the direct
// conversion.
func memory(at, length uintptr) []byte {
	return (*[largest]byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at)))[:length:length]
}

func zero(b []byte) {
	for i := range b {
		b[i] = 0
	}
}

// written returns the index of the first byte that is not zero, and whether there
// is one.
func written(b []byte) (uintptr, bool) {
	for i := range b {
		if b[i] != 0 {
			return uintptr(i), true
		}
	}
	return 0, false
}
