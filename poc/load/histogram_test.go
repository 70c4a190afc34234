package load

import (
	"math"
	"math/rand"
	"sort"
	"testing"
)

// TestEveryDurationIsInOneBucket fails if a bucket begins elsewhere than where the one before
// it ends, or is wider than 1/32 of its values.
func TestEveryDurationIsInOneBucket(t *testing.T) {
	var h Histogram
	for i := range h.counts {
		first := uint64(0)
		if i > 0 {
			first = last(i-1) + 1
		}
		if bucket(first) != i || bucket(last(i)) != i {
			t.Fatalf("bucket %d has %d to %d, which are in %d and %d", i, first, last(i), bucket(first), bucket(last(i)))
		}
		if wide := last(i) - first + 1; wide > 1 && wide*width > first {
			t.Fatalf("bucket %d from %d is %d wide", i, first, wide)
		}
	}
	if end := last(len(h.counts) - 1); end != 1<<coarse-1 {
		t.Errorf("the last bucket ends at %d", end)
	}
}

// TestQuantilesAreThoseOfASortedList compares them with what a list of all durations gives.
func TestQuantilesAreThoseOfASortedList(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for _, n := range []int{1, 2, 10, 999, 100000} {
		var h Histogram
		all := make([]float64, n)
		for i := range all {
			all[i] = math.Floor(math.Exp(random.NormFloat64()*2 + 9))
			h.Record(int64(all[i]), 1)
		}
		sort.Float64s(all)
		for _, q := range []float64{0, 0.001, 0.5, 0.99, 0.999, 1} {
			rank := int(math.Ceil(q*float64(n))) - 1
			if rank < 0 {
				rank = 0
			}
			want, got := all[rank], float64(h.Quantile(q))
			if got < want || got > want*(1+1.0/width)+1 {
				t.Errorf("%d durations: quantile %v is %v, want %v", n, q, got, want)
			}
		}
		if h.Count() != uint64(n) || float64(h.Longest()) != all[n-1] {
			t.Errorf("%d durations, the longest %v: %d, %d", n, all[n-1], h.Count(), h.Longest())
		}
	}
}

// TestADurationBeyondTheBucketsIsCounted fails if a very long or a negative duration is lost,
// or is written outside of the buckets.
func TestADurationBeyondTheBucketsIsCounted(t *testing.T) {
	var h, sum Histogram
	h.Record(-5, 1)
	h.Record(math.MaxInt64, 3)
	sum.Add(&h)
	if sum.Count() != 4 || sum.Quantile(0.25) != 0 || sum.Longest() != math.MaxInt64 || sum.Quantile(1) != 1<<coarse-1 {
		t.Errorf("%d durations, %d, %d, %d", sum.Count(), sum.Quantile(0.25), sum.Quantile(1), sum.Longest())
	}
	var none Histogram
	if none.Quantile(0.5) != 0 || none.Count() != 0 {
		t.Error("an empty histogram has a quantile")
	}
}
