package stackpool

import (
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mapstack/conformance/poc/sys"
)

// kernel is the running kernel. It counts what is mapped, and can refuse calls.
type kernel struct {
	*sys.Kernel
	mu              sync.Mutex
	mapped          map[uintptr]uintptr
	flags           []uint64 // of each mmap call
	refuse          map[string]syscall.Errno
	munmaps, advice int
}

func running(t testing.TB) *kernel {
	t.Helper()
	k, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	return &kernel{Kernel: k, mapped: map[uintptr]uintptr{}, refuse: map[string]syscall.Errno{}}
}

func (k *kernel) Mmap(addr, length uintptr, prot, flags uint64, fd int, offset int64) (uintptr, syscall.Errno) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flags = append(k.flags, flags)
	if errno := k.refuse["mmap"]; errno != 0 {
		return 0, errno
	}
	at, errno := k.Kernel.Mmap(addr, length, prot, flags, fd, offset)
	if errno == 0 {
		k.mapped[at] = length
	}
	return at, errno
}

func (k *kernel) Munmap(addr, length uintptr) syscall.Errno {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.munmaps++
	if errno := k.refuse["munmap"]; errno != 0 {
		return errno
	}
	if k.mapped[addr] != length {
		panic("munmap of what no mmap returned")
	}
	delete(k.mapped, addr)
	return k.Kernel.Munmap(addr, length)
}

func (k *kernel) Mprotect(addr, length uintptr, prot uint64) syscall.Errno {
	if errno := k.refuse["mprotect"]; errno != 0 {
		return errno
	}
	return k.Kernel.Mprotect(addr, length, prot)
}

func (k *kernel) Madvise(addr, length uintptr, advice uint64) syscall.Errno {
	k.advice++
	if errno := k.refuse["madvise"]; errno != 0 {
		return errno
	}
	return k.Kernel.Madvise(addr, length, advice)
}

// total returns how many bytes are mapped.
func (k *kernel) total() (n uintptr) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, length := range k.mapped {
		n += length
	}
	return n
}

func (k *kernel) pool(o Options) *Pool { return newPool(k, k.Table, uintptr(os.Getpagesize()), o) }

func get(t testing.TB, p *Pool, size uintptr) Stack {
	t.Helper()
	s, err := p.Get(size)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// TestEveryStackIsZeroWhenItIsHandedOut fails if a stack still holds what its last
// user wrote. That would reveal secrets, and mislead a thread that relies on
// zeroes.
func TestEveryStackIsZeroWhenItIsHandedOut(t *testing.T) {
	for _, refuse := range []map[string]syscall.Errno{{}, {"madvise": syscall.EINVAL}} {
		k := running(t)
		k.refuse = refuse
		p := k.pool(Options{Guard: true})
		for i := 0; i < p.count; i++ {
			size := p.classes[i].size
			for _, used := range []uintptr{0, 1, 4000, size / 2, size} {
				s := get(t, p, size)
				if at, ok := written(s.Bytes()); ok {
					t.Fatalf("size %d: the byte at %d is not zero", size, at)
				}
				fill(s.Bytes()[size-used:], 0xa5)
				p.Put(s, used)
			}
			first := get(t, p, size)
			if at, ok := written(first.Bytes()); ok {
				t.Fatalf("size %d, after all of it was written: the byte at %d is not zero", size, at)
			}
			p.Put(first, 0)
		}
		if k.advice == 0 {
			t.Error("large stacks were not discarded; the test proves nothing of them")
		}
	}
}

func TestSizesAreRoundedUpAndBounded(t *testing.T) {
	k := running(t)
	for _, page := range []uintptr{4 << 10, 16 << 10, 64 << 10} {
		p := newPool(k, k.Table, page, Options{})
		for i := 0; i < p.count; i++ {
			c := &p.classes[i]
			if c.size%page != 0 || shelfSize(c.size) > shelfSlots {
				t.Errorf("page %d: class of %d bytes, %d on a shelf", page, c.size, shelfSize(c.size))
			}
			if got := p.classOf(c.size); got != i {
				t.Errorf("page %d: %d bytes are of class %d, want %d", page, c.size, got, i)
			}
			if got := p.classOf(c.size + 1); got != i+1 && !(i == p.count-1 && got == -1) {
				t.Errorf("page %d: %d bytes are of class %d", page, c.size+1, got)
			}
		}
		if p.classes[p.count-1].size != largest {
			t.Errorf("page %d: the largest class has %d bytes", page, p.classes[p.count-1].size)
		}
	}
	if _, err := k.pool(Options{}).Get(largest + 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// mustPanic calls f and checks the text of its panic.
func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if text, _ := recover().(string); !strings.Contains(text, want) {
			t.Errorf("panic %q, want %q", text, want)
		}
	}()
	f()
}

func TestMistakesOfTheUserAreNoticed(t *testing.T) {
	k := running(t)
	p, other := k.pool(Options{}), k.pool(Options{})
	s := get(t, p, 1)
	mustPanic(t, "another pool's", func() { other.Put(s, 0) })
	mustPanic(t, "no Get returned", func() { p.Put(Stack{}, 0) })
	mustPanic(t, "said to be written", func() { p.Put(s, s.Size()+1) })
	p.Put(s, 0)
	mustPanic(t, "returned before", func() { p.Put(s, 0) })
	// The place is now used by somebody else, so the old owner must not return it.
	again := get(t, p, 1)
	if again.Base() != s.Base() {
		t.Fatalf("the stack at %#x is not used again; the test proves nothing", s.Base())
	}
	mustPanic(t, "returned before", func() { p.Put(s, 0) })
	p.Put(again, 0)
	p.Trim()
	mustPanic(t, "returned before", func() { p.Put(again, 0) }) // its memory is unmapped
}

func TestAWrongStatementOfUseIsNoticed(t *testing.T) {
	p := running(t).pool(Options{Verify: true})
	s := get(t, p, 16<<10)
	s.Bytes()[s.Size()-100] = 1
	mustPanic(t, "was written, below the 99 that are said to be", func() { p.Put(s, 99) })
	p.Put(s, 100)
}

// faults reports whether reading a byte faults.
func faults(at uintptr) (faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { faulted = recover() != nil }()
	if memory(at, 1)[0] != 0 {
		panic("fresh memory is not zero")
	}
	return false
}

func TestAGuardLiesBelowEveryStack(t *testing.T) {
	k := running(t)
	for _, guard := range []bool{true, false} {
		p := k.pool(Options{Guard: guard})
		owner := map[uintptr]int{} // index of the stack by page
		page := uintptr(os.Getpagesize())
		for i := 0; i < 3*maxSlots; i++ {
			s := get(t, p, smallest)
			for at := s.Base(); at < s.Top(); at += page {
				if was, taken := owner[at]; taken {
					t.Fatalf("stacks %d and %d share the page at %#x", was, i, at)
				}
				owner[at] = i
			}
			if guard && !faults(s.Base()-1) {
				t.Errorf("stack %d at %#x has no guard", i, s.Base())
			}
			if faults(s.Base()) || faults(s.Top()-1) {
				t.Errorf("stack %d at %#x cannot be used", i, s.Base())
			}
		}
	}
}

// TestIdleMemoryIsGivenBack fails if a burst of stacks stays mapped for ever.
func TestIdleMemoryIsGivenBack(t *testing.T) {
	k := running(t)
	const idle = 1 << 20
	p := k.pool(Options{Guard: true, Idle: idle})
	var all []Stack
	for _, size := range []uintptr{8 << 10, 32 << 10, 64 << 10, 256 << 10, 2 << 20} {
		for i := 0; i < 40; i++ {
			all = append(all, get(t, p, size))
		}
	}
	peak := k.total()
	for _, s := range all {
		p.Put(s, 0)
	}
	// At worst each cached stack keeps one span mapped.
	held := uintptr(0)
	for i := 0; i < p.count; i++ {
		c := &p.classes[i]
		if n := shelfSize(c.size); n > 0 {
			held += uintptr(len(p.caches)*n) * (spanBytes + maxSlots*p.page)
		}
	}
	if now := k.total(); now >= peak || now > idle+held {
		t.Errorf("%d bytes stay mapped of %d", now, peak)
	}
	if left := p.Trim(); left != 0 || k.total() != 0 {
		t.Errorf("after Trim %d bytes stay mapped, %d by the kernel's count", left, k.total())
	}
	p.Put(get(t, p, 1), 0)
}

func TestTrimLeavesStacksThatAreInUse(t *testing.T) {
	p := running(t).pool(Options{})
	used, idle := get(t, p, 64<<10), get(t, p, 1<<20)
	used.Bytes()[0] = 7
	p.Put(idle, 0)
	if left := p.Trim(); left == 0 || used.Bytes()[0] != 7 {
		t.Errorf("%d bytes are left", left)
	}
	p.Put(used, used.Size())
	if left := p.Trim(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
}

// TestWhatTheKernelRefusesIsTold fails if a refusal lacks the architecture's name,
// or leaves anything behind. No other call is tried: the caller decides what a
// refusal means.
func TestWhatTheKernelRefusesIsTold(t *testing.T) {
	for _, call := range []string{"mmap", "mprotect"} {
		k := running(t)
		k.refuse[call] = syscall.Errno(k.Errno("ENOMEM"))
		p := k.pool(Options{Flags: k.Map.Stack, Guard: true})
		_, err := p.Get(16 << 10)
		var e *Error
		if !errors.As(err, &e) || e.Name != "ENOMEM" || e.Errno != k.refuse[call] {
			t.Errorf("%s: %v", call, err)
		}
		if !strings.Contains(err.Error(), call) || len(k.flags) != 1 || k.total() != 0 {
			t.Errorf("%s: %v after %d calls; %d bytes stay mapped", call, err, len(k.flags), k.total())
		}
		delete(k.refuse, call)
		p.Put(get(t, p, 16<<10), 0)
	}
}

func TestMappingsCarryTheFlagsThatWereAskedFor(t *testing.T) {
	k := running(t)
	for _, flag := range []uint64{0, k.Map.Stack} {
		k.flags = nil
		get(t, k.pool(Options{Flags: flag}), 1)
		if want := k.Map.Private | k.Map.Anonymous | flag; len(k.flags) != 1 || k.flags[0] != want {
			t.Errorf("mmap had %#x, want %#x", k.flags, want)
		}
	}
}

// TestARefusedUnmapLosesNothing covers a munmap that fails because the kernel
// merged the mapping with a neighbour.
func TestARefusedUnmapLosesNothing(t *testing.T) {
	k := running(t)
	k.refuse["munmap"] = syscall.Errno(k.Errno("ENOMEM"))
	p := k.pool(Options{Idle: 1})
	s := get(t, p, 8<<20)
	base := s.Base()
	p.Put(s, 0)
	if k.munmaps == 0 {
		t.Fatal("no memory was given back; the test proves nothing")
	}
	if again := get(t, p, 8<<20); again.Base() != base {
		t.Errorf("the stack at %#x is lost", base)
	} else {
		delete(k.refuse, "munmap")
		p.Put(again, 0)
	}
	if k.total() != 0 {
		t.Errorf("%d bytes stay mapped", k.total())
	}
}

// TestStacksHaveOneOwner fails if two goroutines get the same stack.
func TestStacksHaveOneOwner(t *testing.T) {
	p := running(t).pool(Options{Guard: true, Idle: 1 << 20, Verify: true})
	const workers, rounds = 16, 300
	var wrong int32
	var all sync.WaitGroup
	for w := 1; w <= workers; w++ {
		all.Add(1)
		go func(mark byte) {
			defer all.Done()
			var held []Stack
			for i := 0; i < rounds; i++ {
				s, err := p.Get(8 << 10 << (i * int(mark) % 4))
				if err != nil {
					atomic.AddInt32(&wrong, 1)
					return
				}
				fill(s.Bytes()[s.Size()-64:], mark)
				held = append(held, s)
				if len(held) < 5 {
					continue
				}
				for _, s := range held {
					for _, b := range s.Bytes()[s.Size()-64:] {
						if b != mark {
							atomic.AddInt32(&wrong, 1)
						}
					}
					p.Put(s, 64)
				}
				held = held[:0]
			}
			for _, s := range held {
				p.Put(s, 64)
			}
		}(byte(w))
	}
	all.Wait()
	if wrong != 0 {
		t.Errorf("%d bytes were another's, or stacks not to be had", wrong)
	}
	if left := p.Trim(); left != 0 {
		t.Errorf("%d bytes stay mapped", left)
	}
}
