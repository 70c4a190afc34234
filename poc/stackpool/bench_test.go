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

// The article's figures for its two tiers, ns for each stack, and the sizes that
// they are for.
const (
	articleSmall, articleSmallBelow = 95, 32 << 10
	articleLarge, articleLargeAbove = 310, 64 << 10
)

// way is one way to have a stack for a while and give it back.
type way struct {
	name string
	run  func(n int)
	// batch is how many stacks are measured at a time: enough of them that what
	// the way before left in the processor's caches no longer matters.
	batch int
}

const (
	fast = 4096 // tens of ns each
	slow = 64   // µs each
	// garbage is how many bytes make allocates at a time at least: several
	// collections, which are part of its price.
	garbage = 16 << 20
)

// usual is how much of its stack a thread writes that does little, bytes.
const usual = 2 << 10

var kept []byte // what the compiler must not leave out

// touchTop writes as much of a stack as its user does.
func touchTop(b []byte, used int) {
	for at := len(b) - used; at < len(b); at += 64 {
		b[at] = 1
	}
}

// ways are what a stack of a size may come from. Each writes the same bytes.
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

// interleaved measures ways in turn, a little at a time, so that what else the
// machine does meets all of them, and returns ns for each stack: of the samples the
// one that a tenth are better than, because other programs only ever add.
func interleaved(all []way, rounds int) []float64 {
	samples := make([][]float64, len(all))
	for r := -1; r < rounds; r++ { // the first only warms up
		for i, w := range all {
			runtime.GC() // what the way before left is not this one's to collect
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

// BenchmarkGetPut prints, for each size, the ns that a stack costs from
// Get to Put when 2 KiB of it are written: by the pool, by the pool when all of
// it is said to be written (pool-all), by make, which is what a g0 stack from
// Go's heap costs, and by a mapping of its own with MAP_STACK and a guard. use is
// the writing alone, which all of them include. The factors are of one run.
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
			b.ReportMetric(0, "ns/op") // of all ways together, which says nothing
			switch {
			case size < articleSmallBelow:
				b.ReportMetric(pool/articleSmall, "pool/article")
			case size > articleLargeAbove:
				b.ReportMetric(pool/articleLarge, "pool/article")
			}
		})
	}
}

// BenchmarkClear compares the two ways to have zeroes again where a stack was
// written: clearing, and MADV_DONTNEED with the faults that follow when as much
// is written again.
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

// BenchmarkContended is what a stack costs when every processor asks at once.
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
