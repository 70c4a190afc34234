package load

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// Interval is an estimate, with the limits that the true value lies between in 95 of 100 such
// runs. Low and High are 0 if there are too few repetitions to tell.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Bounded reports whether the limits are known.
func (i Interval) Bounded() bool { return i.High > 0 }

// Differs reports whether a ratio is not 1, as far as the repetitions can tell.
func (i Interval) Differs() bool { return i.Bounded() && (i.Low > 1 || i.High < 1) }

const (
	// enough is the fewest repetitions for which limits are given. The median of fewer can
	// take too few values when they are drawn again.
	enough = 5
	// draws is how often the repetitions are drawn again. The limits then vary by less than
	// they are worth.
	draws = 2000
)

// median returns the median of numbers, 0 for none. It sorts them.
func median(all []float64) float64 { return quantile(all, 0.5) }

// quantile returns a quantile of numbers, between the two that are nearest; 0 for none. It
// sorts them.
func quantile(all []float64, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	at := q * float64(len(all)-1)
	i := int(at)
	if i+1 == len(all) {
		return all[i]
	}
	return all[i] + (at-float64(i))*(all[i+1]-all[i])
}

// Median returns the median and its limits.
func Median(of []float64) Interval {
	return bootstrap(len(of), func(draw func(int) []int) float64 { return median(at(of, draw(len(of)))) })
}

// Ratio returns the ratio of the medians of two lists of positive numbers, and its limits. Lists
// of the same length are of the same repetitions: what slowed a repetition down did so for both.
func Ratio(of, to []float64) Interval {
	if len(of) == 0 || len(to) == 0 || median(slices.Clone(to)) <= 0 {
		return Interval{}
	}
	return bootstrap(min(len(of), len(to)), func(draw func(int) []int) float64 {
		drawn := draw(len(of))
		above := median(at(of, drawn))
		if len(to) != len(of) {
			drawn = draw(len(to))
		}
		return above / median(at(to, drawn))
	})
}

// at returns the numbers at places of a list.
func at(all []float64, places []int) []float64 {
	some := make([]float64, len(places))
	for i, place := range places {
		some[i] = all[place]
	}
	return some
}

// bootstrap estimates a value of n repetitions (Efron's percentile bootstrap): it is computed
// again many times from as many repetitions, drawn from those that were measured. The generator
// always begins the same, so that the same samples give the same limits.
func bootstrap(n int, value func(draw func(int) []int) float64) Interval {
	all := func(n int) []int {
		places := make([]int, n)
		for i := range places {
			places[i] = i
		}
		return places
	}
	i := Interval{Value: value(all)}
	if n < enough {
		return i
	}
	random := rand.New(rand.NewPCG(24, 1))
	some := func(n int) []int {
		places := make([]int, n)
		for i := range places {
			places[i] = random.IntN(n)
		}
		return places
	}
	values := make([]float64, draws)
	for n := range values {
		values[n] = value(some)
	}
	i.Low, i.High = quantile(values, 0.025), quantile(values, 0.975)
	return i
}

// spread returns half of the range of the middle half of numbers, as a part of their median.
func spread(all []float64) float64 {
	all = slices.Clone(all)
	if m := median(all); m > 0 {
		return (quantile(all, 0.75) - quantile(all, 0.25)) / 2 / m
	}
	return 0
}

// least and largest return the ends of numbers.
func ends[T cmp.Ordered](all []T) (least, largest T) {
	if len(all) == 0 {
		return
	}
	return slices.Min(all), slices.Max(all)
}
