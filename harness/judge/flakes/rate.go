package flakes

import (
	"math"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Rate is how often repeats decided a claim otherwise than most of them did.
type Rate struct {
	Decisions int // outcomes of all repeats that are pass, fail or error
	Odd       int // those of them that are not what most repeats say of the claim
	Red       int // those of the odd ones that fail
}

// Rate returns the rate of the repeats that were added.
func (t *Tally) Rate() (r Rate) {
	for _, f := range t.seen {
		r.Decisions += f.Counts.Pass + f.Counts.Fail + f.Counts.Error
	}
	for _, f := range t.Flakes() {
		usual := usual(f.Counts)
		r.Odd += t.Runs - usual
		if f.Counts.Fail < usual {
			r.Red += f.Counts.Fail
		}
	}
	return r
}

// usual returns how many repeats had the status that most of them had.
func usual(c verdict.Counts) int { return max(c.Pass, c.Fail, c.Error, c.Unsupported, c.NotRun) }

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
