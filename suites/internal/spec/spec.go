// Package spec shows judged claims to Ginkgo, as a tree with a spec for every claim
// on every cell. It decides nothing: Ginkgo succeeds exactly when the verdict is
// conformant, or all that keeps it from that is known.
package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Case is a judged claim on one cell.
type Case struct {
	Arch     string // GOARCH of the cell
	Sentence string // the claim in English
	Outcome  verdict.Outcome
}

// unknown stands for the architecture of a cell whose image nobody supplied.
const unknown = "unknown"

// Cases joins outcomes with the sentences of the claims and the architecture of each
// cell, which is by name.
func Cases(suites []claim.Suite, outcomes []verdict.Outcome, arch map[string]string) []Case {
	sentence := map[string]string{}
	for _, a := range suites {
		for _, c := range a.Claims {
			sentence[c.ID] = c.English
		}
		sentence[a.FloorID()] = a.FloorText().English
	}
	cases := make([]Case, 0, len(outcomes))
	for _, o := range outcomes {
		cases = append(cases, Case{Arch: cmp.Or(arch[o.Cell], unknown), Sentence: sentence[o.Claim], Outcome: o})
	}
	return cases
}

// Tree registers a spec for every case. It must be called before the specs
// run, and cases with the same cell and suite must be neighbours.
func Tree(cases []Case) error {
	for _, c := range cases {
		if err := c.validate(); err != nil {
			return err
		}
	}
	// One container is around everything. Ginkgo shuffles top-level containers and
	// keeps the order below them, and the order of a report must not change.
	ginkgo.Describe("", func() {
		if !settled(cases) {
			// For Ginkgo, a tree in which nothing ran is a success.
			ginkgo.It("decides a claim", func() {
				ginkgo.Fail(string(verdict.Incomplete) + ": no claim was decided")
			})
		}
		for start := 0; start < len(cases); {
			end := start
			for end < len(cases) && cases[end].group() == cases[start].group() {
				end++
			}
			container(cases[start:end])
			start = end
		}
	})
	return nil
}

// settled reports whether the specs of the cases say enough: a claim was decided, or a
// spec fails because it was not.
func settled(cases []Case) bool {
	return slices.ContainsFunc(cases, func(c Case) bool {
		o := c.Outcome
		return o.Status == verdict.Pass || o.Status == verdict.Fail || o.Status != verdict.Unsupported && !o.Harmless()
	})
}

// group names the container that a case is in.
func (c Case) group() string { return c.Outcome.Cell + " " + c.Outcome.Suite }

func container(cases []Case) {
	first := cases[0]
	ginkgo.Describe(first.group(),
		ginkgo.Label("arch:"+first.Arch, "cell:"+first.Outcome.Cell, "suite:"+first.Outcome.Suite),
		func() {
			for _, c := range cases {
				leaf(c)
			}
		})
}

// leaf registers the spec of one case.
func leaf(c Case) {
	o := c.Outcome
	args := []any{ginkgo.Label("claim:"+o.Claim, "level:"+string(o.Level))}
	if o.Status == verdict.Unsupported {
		// Pending and not skipped: nothing was tried. A pending spec has no body, so
		// that a label must carry the reason.
		args = append(args, ginkgo.Pending, ginkgo.Label(unsupportedLabel(o.Reason)))
	}
	args = append(args, func() {
		switch {
		case o.Stale():
			ginkgo.Fail("stale: " + o.Advice())
		case o.Status == verdict.Pass:
		case o.AsKnown():
			// The run ends well with it, and so must the suite.
			ginkgo.AddReportEntry(fmt.Sprintf("%s, as known: %s (%s)", o.Status, o.Known.Reason, o.Known.Link), o.Text())
		case o.Accepted():
			ginkgo.AddReportEntry(fmt.Sprintf("%s, as a deviation accepts: %s (%s)", o.Status, o.Deviation.Reason, o.Deviation.Source), o.Text())
		case o.Harmless():
			// It changes no verdict, so that it must not fail the suite.
			ginkgo.AddReportEntry(fmt.Sprintf("%s (%s)", o.Status, o.Level), o.Text())
		default:
			ginkgo.Fail(fmt.Sprintf("%s: %s", o.Status, o.Text()))
		}
	})
	ginkgo.It(o.Claim+" "+c.Sentence, args...)
}

// reserved are the characters of Ginkgo's label filters. A label with one of them
// is an error of the whole tree.
const reserved = `&|!,()/"`

func unsupportedLabel(reason string) string {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(reserved, r) || r < ' ' {
			return ' '
		}
		return r
	}, reason)
	if strings.TrimSpace(plain) == "" {
		plain = "no reason given"
	}
	return "unsupported:" + strings.Join(strings.Fields(plain), " ")
}

// validate refuses names that would make Ginkgo end the process while it builds the
// tree.
func (c Case) validate() error {
	for _, part := range []struct{ name, value string }{
		{"architecture", c.Arch}, {"cell", c.Outcome.Cell}, {"suite", c.Outcome.Suite},
		{"claim", c.Outcome.Claim}, {"level", string(c.Outcome.Level)},
	} {
		if part.value == "" || strings.ContainsAny(part.value, reserved+" \t\n") {
			return fmt.Errorf("claim %q on cell %q: %s %q cannot be a Ginkgo label; it is empty or holds a space or one of %s",
				c.Outcome.Claim, c.Outcome.Cell, part.name, part.value, reserved)
		}
	}
	return nil
}
