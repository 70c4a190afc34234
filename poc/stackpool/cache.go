package stackpool

import "sync/atomic"

const (
	// shelfSlots is the largest number of stacks of one class in a cache.
	shelfSlots = 8
	// shelfBytes bounds the bytes of one class in a cache, but one stack is always
	// allowed. Stacks above singleBytes are not cached at all.
	shelfBytes  = 256 << 10
	singleBytes = 1 << 20
)

// cache is the first tier: stacks that one processor uses again. There are as many
// caches as processors. A goroutine finds its cache by a hint from a sync.Pool,
// which keeps one hint per processor. The lock makes a wrong hint harmless. Nobody
// waits for it: if a cache is locked the next one is tried.
type cache struct {
	locked  uint32
	_       [60]byte // keeps another processor's lock out of this cache line
	shelves [classes]shelf
}

// hint is the index of the cache to try first.
type hint struct{ cache int }

type shelf struct {
	n     int
	slots [shelfSlots]*slot
}

func (c *cache) lock() bool { return atomic.CompareAndSwapUint32(&c.locked, 0, 1) }
func (c *cache) unlock()    { atomic.StoreUint32(&c.locked, 0) }

// shelfSize returns how many stacks of a size a cache may hold.
func shelfSize(size uintptr) int {
	switch n := shelfBytes / size; {
	case size > singleBytes:
		return 0
	case n > shelfSlots:
		return shelfSlots
	case n == 0:
		return 1
	default:
		return int(n)
	}
}

// own returns a locked cache, or nil if all are locked at the moment. A preempted
// goroutine may hold one.
func (p *Pool) own() *cache {
	h := p.hints.Get().(*hint)
	var c *cache
	for range p.caches {
		if next := &p.caches[h.cache]; next.lock() {
			c = next
			break
		}
		h.cache = (h.cache + 1) % len(p.caches)
	}
	p.hints.Put(h)
	return c
}

// fetch takes a free slot of a class, from a cache or from a span.
func (p *Pool) fetch(i int) (*slot, error) {
	limit := shelfSize(p.classes[i].size)
	if limit == 0 {
		return p.classes[i].one()
	}
	c := p.own()
	if c == nil {
		return p.classes[i].one()
	}
	s := &c.shelves[i]
	if s.n == 0 {
		// Half of the capacity is taken, so that a Put that follows finds room.
		n, err := p.classes[i].take(s.slots[:(limit+1)/2])
		if err != nil {
			c.unlock()
			return nil, err
		}
		s.n = n
	}
	s.n--
	d := s.slots[s.n]
	d.home = c
	c.unlock()
	return d, nil
}

// keep puts a free slot into a cache or back into its span. The cache that the slot
// came from is tried first. Finding the processor's own takes longer, and it is the
// same unless the goroutine moved.
func (p *Pool) keep(d *slot) {
	class := d.span.class
	limit := shelfSize(class.size)
	if limit == 0 {
		class.give([]*slot{d})
		return
	}
	c := d.home
	if c == nil || !c.lock() {
		if c = p.own(); c == nil {
			class.give([]*slot{d})
			return
		}
	}
	s := &c.shelves[class.index]
	if s.n == limit {
		half := limit / 2
		class.give(s.slots[half:limit])
		s.n = half
	}
	s.slots[s.n] = d
	s.n++
	c.unlock()
}
