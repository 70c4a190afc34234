package flakes

import (
	"math"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Rate is how often repeats decided a claim otherwise than most of them did.
type Rate struct {
	Decisions int // outcomes of all repeats that are pass, fail or error
	Odd       int // those of them that are not what most repeats say of the claim
	Red       int // those of the odd ones that fail
}

// Measure returns the rate of some reports. found is what Find says of them.
func Measure(reports []report.Report, found []Flake) (r Rate) {
	for _, one := range reports {
		c := verdict.Count(one.Outcomes)
		r.Decisions += c.Pass + c.Fail + c.Error
	}
	for _, f := range found {
		c := f.Counts
		usual := max(c.Pass, c.Fail, c.Error, c.Unsupported, c.NotRun)
		r.Odd += c.Total() - usual
		if c.Fail < usual {
			r.Red += c.Fail
		}
	}
	return r
}

// confidence is how sure it is that a true rate is not above its bound.
const confidence = 0.95

// Bound returns an upper bound of the true rate of an event that was seen some times among many
// decisions: with a higher one, so few would be seen in less than 5 % of all cases. Such events
// are rare, so that their number is Poisson's.
func (r Rate) Bound(seen int) float64 {
	low, high := 0.0, 10+3*float64(seen)
	for range 60 {
		if mean := (low + high) / 2; atMost(seen, mean) > 1-confidence {
			low = mean
		} else {
			high = mean
		}
	}
	return high / float64(max(1, r.Decisions))
}

// atMost returns the probability of n events or fewer if there are mean of them on average.
func atMost(n int, mean float64) (p float64) {
	term := math.Exp(-mean)
	for i := range n + 1 {
		p += term
		term *= mean / float64(i+1)
	}
	return p
}
