package stackpool

import "sync/atomic"

const (
	// shelfSlots is how many stacks of one class a cache holds at most.
	shelfSlots = 8
	// shelfBytes is how many bytes of one class, unless that is less than one
	// stack; stacks above singleBytes are not kept in caches at all.
	shelfBytes  = 256 << 10
	singleBytes = 1 << 20
)

// cache is the first tier: stacks that one processor uses again. There are as
// many as processors. Which one is a goroutine's is a hint from a sync.Pool,
// which has one for each processor; the lock makes a wrong hint harmless, and
// nobody waits for it: who finds a cache locked takes the next.
type cache struct {
	locked  uint32
	_       [60]byte // no other processor's lock in the same line
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

// shelfSize is how many stacks of a size a cache may hold.
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

// own returns a locked cache, nil when all are in use at this moment: a
// goroutine that was interrupted may hold one.
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
		// Half of what fits, so that a Put that follows finds room.
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

// keep puts a free slot into a cache or back into its span. The cache that it
// came from is tried first: to ask for the processor's own takes longer, and it
// is the same unless the goroutine moved.
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
