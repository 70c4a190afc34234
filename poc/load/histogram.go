package load

import (
	"math"
	"math/bits"
	"sync/atomic"
)

const (
	// fine is log2 of the number of buckets for each power of two. A bucket is at most
	// 1/32 of its values wide.
	fine = 5
	// coarse is log2 of the end of the last bucket, in ns: 18 minutes.
	coarse = 40
	// width is the number of buckets for each power of two.
	width = 1 << fine
)

// Histogram counts durations in buckets of fixed size, as HDR histograms do: the buckets
// of a power of two are of equal width. Its size does not depend on how many durations it
// counts. The zero Histogram is empty. Record is safe for concurrent use.
type Histogram struct {
	counts  [(coarse - fine + 1) * width]uint64
	longest uint64 // ns
}

// Record counts a duration in ns n times. A negative one counts as 0: a clock that is set
// back must not end a measurement.
func (h *Histogram) Record(ns int64, n uint64) {
	v := uint64(0)
	if ns > 0 {
		v = uint64(ns)
	}
	atomic.AddUint64(&h.counts[bucket(v)], n)
	for {
		was := atomic.LoadUint64(&h.longest)
		if v <= was || atomic.CompareAndSwapUint64(&h.longest, was, v) {
			return
		}
	}
}

// bucket returns the index of a duration's bucket.
func bucket(v uint64) int {
	if v < width {
		return int(v)
	}
	if v >= 1<<coarse {
		v = 1<<coarse - 1
	}
	shift := bits.Len64(v) - 1 - fine
	return (shift+1)*width + int(v>>uint(shift)) - width
}

// last returns the largest duration of a bucket.
func last(i int) uint64 {
	if i < width {
		return uint64(i)
	}
	shift := uint(i/width - 1)
	return uint64(width+i%width+1)<<shift - 1
}

// Add adds the durations of another histogram. Nobody may record in either meanwhile.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	if other.longest > h.longest {
		h.longest = other.longest
	}
}

// Count returns the number of durations.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// Longest returns the longest duration, in ns.
func (h *Histogram) Longest() uint64 { return h.longest }

// Quantile returns a duration in ns that is not shorter than the part q of all durations,
// and is at most 1/32 too long. It returns 0 if there are none.
func (h *Histogram) Quantile(q float64) uint64 {
	total := h.Count()
	rank := uint64(math.Ceil(q * float64(total)))
	if rank == 0 {
		rank = 1
	}
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; seen >= rank && n > 0 {
			if end := last(i); end < h.longest {
				return end
			}
			return h.longest
		}
	}
	return 0
}
