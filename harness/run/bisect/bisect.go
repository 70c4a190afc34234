// Package bisect finds where in a list of kernels a claim begins to be decided otherwise. It
// runs no kernel itself.
package bisect

import (
	"context"
	"fmt"

	"github.com/mapstack/conformance/harness/judge/changes"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Test is how a claim was decided on one kernel, as a line of the log has it.
type Test struct {
	SHA256   string         `json:"sha256"` // of the kernel's file
	File     string         `json:"file"`   // its name, for a reader of the log
	Release  string         `json:"release,omitempty"`
	Status   verdict.Status `json:"status"`
	Expected string         `json:"expected,omitempty"`
	Observed string         `json:"observed,omitempty"`
	Reason   string         `json:"reason,omitempty"`   // the first line
	Evidence string         `json:"evidence,omitempty"` // the folder of the run
}

// Answer says which end of the list a kernel is like.
type Answer string

const (
	Good Answer = "good"
	Bad  Answer = "bad"
	Skip Answer = "skip" // nothing was decided, or it is like neither end
)

// Kernel is a kernel of the list.
type Kernel struct {
	File   string // its path
	SHA256 string
}

// Session is the search in a list of kernels whose first is good and whose last is bad.
type Session struct {
	Kernels []Kernel
	// Known are tests that a log has, by the SHA-256 of the kernel.
	Known map[string]Test
	// Run tests a kernel. An error ends the search.
	Run func(ctx context.Context, k Kernel) (Test, error)
	// Note is told of each test. fresh says that it was made now, and not read of a log.
	Note func(t Test, a Answer, fresh bool) error
}

// Found is what a search found: the change is after the kernel Good and at Bad or before.
type Found struct {
	Good, Bad Test
	// Skipped are the kernels between both that are like neither.
	Skipped []Kernel
}

// Find searches. It tests both ends first, since the answers of others follow from theirs.
func (s Session) Find(ctx context.Context) (f Found, err error) {
	last := len(s.Kernels) - 1
	if last < 1 {
		return f, fmt.Errorf("the list has %d kernels; a search needs a good and a bad one", len(s.Kernels))
	}
	good, freshGood, err := s.test(ctx, s.Kernels[0])
	if err != nil {
		return f, err
	}
	bad, freshBad, err := s.test(ctx, s.Kernels[last])
	if err != nil {
		return f, err
	}
	answer, err := Between(good, bad)
	if err != nil {
		return f, err
	}
	if err := s.Note(good, Good, freshGood); err != nil {
		return f, err
	}
	if err := s.Note(bad, Bad, freshBad); err != nil {
		return f, err
	}
	return s.narrow(ctx, good, bad, answer)
}

// narrow halves the list until no kernel between the last good one and the first bad one is
// left to test.
func (s Session) narrow(ctx context.Context, good, bad Test, answer func(Test) Answer) (Found, error) {
	low, high := 0, len(s.Kernels)-1
	skipped := map[int]bool{}
	for {
		at := next(low, high, skipped)
		if at < 0 {
			break
		}
		t, fresh, err := s.test(ctx, s.Kernels[at])
		if err != nil {
			return Found{}, err
		}
		a := answer(t)
		if err := s.Note(t, a, fresh); err != nil {
			return Found{}, err
		}
		switch a {
		case Good:
			low, good = at, t
		case Bad:
			high, bad = at, t
		case Skip:
			skipped[at] = true
		}
	}
	return Found{Good: good, Bad: bad, Skipped: s.Kernels[low+1 : high]}, nil
}

// test returns what a log has of a kernel, or tests it.
func (s Session) test(ctx context.Context, k Kernel) (t Test, fresh bool, err error) {
	if t, known := s.Known[k.SHA256]; known {
		return t, false, nil
	}
	t, err = s.Run(ctx, k)
	return t, true, err
}

// next returns the index between low and high that is nearest to the middle and was not
// skipped; -1 if there is none.
func next(low, high int, skipped map[int]bool) int {
	middle := (low + high) / 2
	for off := 0; off <= high-low; off++ {
		for _, at := range []int{middle + off, middle - off} {
			if low < at && at < high && !skipped[at] {
				return at
			}
		}
	}
	return -1
}

// Between returns which of two tests another one is like. They are told apart by the first
// that differs of their status, the words of what was expected and observed, and the numbers
// there. It refuses tests that do not differ, or of which one decided nothing.
func Between(good, bad Test) (func(Test) Answer, error) {
	for _, end := range []Test{good, bad} {
		if !end.decided() {
			return nil, fmt.Errorf("%s decides nothing: %s: %s; a search needs two ends that are decided", end.File, end.Status, end.Reason)
		}
	}
	for _, key := range []func(Test) string{
		func(t Test) string { return string(t.Status) },
		func(t Test) string { return changes.Words(t.key()) },
		Test.key,
	} {
		if key(good) == key(bad) {
			continue
		}
		return func(t Test) Answer {
			switch {
			case !t.decided():
				return Skip
			case key(t) == key(good):
				return Good
			case key(t) == key(bad):
				return Bad
			}
			return Skip
		}, nil
	}
	return nil, fmt.Errorf("%s and %s decide the claim alike, %s: there is no change to find between them", good.File, bad.File, good.Says())
}

// key holds all of a test by which kernels are told apart.
func (t Test) key() string { return string(t.Status) + "\n" + t.Expected + "\n" + t.Observed }

// decided reports whether a test says something of its kernel.
func (t Test) decided() bool { return t.Status != verdict.Error && t.Status != verdict.NotRun }

// Says returns the outcome on one line.
func (t Test) Says() string {
	switch {
	case t.Expected != "":
		return fmt.Sprintf("%s: expected %s, observed %s", t.Status, t.Expected, t.Observed)
	case t.Reason != "":
		return fmt.Sprintf("%s: %s", t.Status, t.Reason)
	}
	return string(t.Status)
}
