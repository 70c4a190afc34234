package stackpool

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/sys"
)

// The article's figures for its two tiers: ns per stack, and the stack sizes that
// they apply to.
const (
	articleSmall, articleSmallBelow = 95, 32 << 10
	articleLarge, articleLargeAbove = 310, 64 << 10
)

// way is one way to obtain a stack for a while and give it back.
type way struct {
	name string
	run  func(n int)
	// batch is the number of stacks in a measurement. It is large enough that what
	// the previous way left in the CPU caches does not matter.
	batch int
}

const (
	fast = 4096 // tens of ns each
	slow = 64   // µs each
	// garbage is the least number of bytes that make allocates in a measurement. It
	// causes several collections, which are part of the cost of make.
	garbage = 16 << 20
)

// usual is the number of bytes of its stack that a simple thread writes.
const usual = 2 << 10

var kept []byte // prevents the compiler from omitting the allocation

// touchTop writes to the part of a stack that its user would use.
func touchTop(b []byte, used int) {
	for at := len(b) - used; at < len(b); at += 64 {
		b[at] = 1
	}
}

// ways returns the sources of a stack of a size. Each writes the same bytes.
func ways(b *testing.B, size, used int) []way {
	k, err := sys.Running()
	if err != nil {
		b.Fatal(err)
	}
	p := New(k, Options{Flags: k.Map.Stack, Guard: true})
	b.Cleanup(func() { p.Trim() })
	pooled := func(said int) func(int) {
		return func(n int) {
			for i := 0; i < n; i++ {
				s, err := p.Get(uintptr(size))
				if err != nil {
					b.Fatal(err)
				}
				touchTop(s.Bytes(), used)
				p.Put(s, uintptr(said))
			}
		}
	}
	mapped := func(n int) {
		page := uintptr(os.Getpagesize())
		length := uintptr(size) + page
		for i := 0; i < n; i++ {
			at, errno := k.Mmap(0, length, k.Prot.Read|k.Prot.Write, k.Map.Private|k.Map.Anonymous|k.Map.Stack, -1, 0)
			if errno == 0 {
				errno = k.Mprotect(at, page, 0)
			}
			if errno != 0 {
				b.Fatal(errno)
			}
			touchTop(memory(at+page, uintptr(size)), used)
			k.Munmap(at, length)
		}
	}
	fixed := make([]byte, size)
	return []way{
		{"use", func(n int) {
			for i := 0; i < n; i++ {
				touchTop(fixed, used)
			}
		}, fast},
		{"pool", pooled(used), fast},
		{"pool-all-written", pooled(size), slow},
		{"make", func(n int) {
			for i := 0; i < n; i++ {
				kept = make([]byte, size)
				touchTop(kept, used)
			}
		}, slow + garbage/size},
		{"mmap", mapped, slow},
	}
}

// interleaved measures the ways in turn, a little at a time, so that other load
// affects all of them. It returns ns per stack. Of the samples it takes the first
// decile, because other programs only ever add time.
func interleaved(all []way, rounds int) []float64 {
	samples := make([][]float64, len(all))
	for r := -1; r < rounds; r++ { // the first round only warms up
		for i, w := range all {
			runtime.GC() // the garbage of the previous way is not counted for this one
			start := time.Now()
			w.run(w.batch)
			if spent := time.Since(start); r >= 0 {
				samples[i] = append(samples[i], float64(spent.Nanoseconds())/float64(w.batch))
			}
		}
	}
	best := make([]float64, len(all))
	for i, s := range samples {
		sort.Float64s(s)
		if len(s) > 0 {
			best[i] = s[len(s)/10]
		}
	}
	return best
}

// BenchmarkGetPut prints, for each size, the ns per stack from Get to Put when 2
// KiB of it are written. pool is the pool, pool-all the pool when the whole stack
// is said to be written. make is the cost of a g0 stack from Go's heap. mmap is a
// separate mapping with MAP_STACK and a guard. use is the writing alone, which all
// of them include. The factors are from one run.
func BenchmarkGetPut(b *testing.B) {
	for _, size := range []int{8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20, 8 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			ns := interleaved(ways(b, size, usual), b.N)
			use, pool := ns[0], ns[1]
			b.ReportMetric(use, "use-ns")
			b.ReportMetric(pool, "pool-ns")
			b.ReportMetric(ns[2], "pool-all-ns")
			b.ReportMetric(ns[3], "make-ns")
			b.ReportMetric(ns[4], "mmap-ns")
			b.ReportMetric(ns[3]/pool, "make/pool")
			b.ReportMetric(ns[4]/pool, "mmap/pool")
			b.ReportMetric(0, "ns/op") // the time of all ways together means nothing
			switch {
			case size < articleSmallBelow:
				b.ReportMetric(pool/articleSmall, "pool/article")
			case size > articleLargeAbove:
				b.ReportMetric(pool/articleLarge, "pool/article")
			}
		})
	}
}

// BenchmarkClear compares two ways to make a written stack zero again: clearing it,
// and MADV_DONTNEED with the page faults when as much is written again.
func BenchmarkClear(b *testing.B) {
	k, err := sys.Running()
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []uintptr{4 << 10, 16 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			at, errno := k.Mmap(0, size, k.Prot.Read|k.Prot.Write, k.Map.Private|k.Map.Anonymous|k.Map.Stack, -1, 0)
			if errno != 0 {
				b.Fatal(errno)
			}
			defer k.Munmap(at, size)
			m := memory(at, size)
			ns := interleaved([]way{
				{"clear", func(n int) {
					for i := 0; i < n; i++ {
						touchTop(m, len(m))
						zero(m)
					}
				}, slow},
				{"discard", func(n int) {
					for i := 0; i < n; i++ {
						touchTop(m, len(m))
						k.Madvise(at, size, k.Madv.DontNeed)
					}
				}, slow},
			}, b.N)
			b.ReportMetric(ns[0], "clear-ns")
			b.ReportMetric(ns[1], "discard-ns")
			b.ReportMetric(ns[1]/ns[0], "discard/clear")
		})
	}
}

// BenchmarkContended measures the cost of a stack when all processors ask at once.
func BenchmarkContended(b *testing.B) {
	k, err := sys.Running()
	if err != nil {
		b.Fatal(err)
	}
	p := New(k, Options{Flags: k.Map.Stack, Guard: true})
	b.Cleanup(func() { p.Trim() })
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s, err := p.Get(16 << 10)
			if err != nil {
				b.Error(err)
				return
			}
			p.Put(s, 0)
		}
	})
}
