package diagnose

import (
	"time"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// pace bounds what censuses cost: a program may be refused memory thousands of times a
// second, and a census reads the status of every process.
type pace struct {
	taken int
	cost  time.Duration // of the last one
	at    time.Time     // when it ended
	state census.Census
	err   error
}

const (
	// freely is how many censuses of one kind of refusal are taken whatever they cost.
	freely = 8
	// share bounds the cost of all others: they take at most one part in so many of
	// the time.
	share = 20
)

// state takes the census for a refusal, or returns the last one of its kind.
func (j *journal) state(a watch.Attempt) (census.Census, error) {
	of := kind{a.Call, a.Errno}
	p := j.censuses[of]
	if p == nil {
		p = &pace{}
		j.censuses[of] = p
	}
	begin := j.now()
	if p.taken >= freely && begin.Sub(p.at) < share*p.cost {
		c := p.state
		if p.err == nil {
			c.PID, c.TID = a.PID, a.TID
		}
		return c, p.err
	}
	p.state, p.err = census.Take(j.root, a.PID, a.TID)
	p.taken++
	p.at = j.now()
	p.cost = p.at.Sub(begin)
	return p.state, p.err
}
