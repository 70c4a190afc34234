// Package spec is the one bridge from judged claims to Ginkgo: a tree with a
// spec for every claim on every cell. It decides nothing: Ginkgo succeeds
// exactly when the verdict is conformant.
package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Case is one claim on one cell, judged.
type Case struct {
	Arch     string // GOARCH of the cell
	Sentence string // the claim in English
	Outcome  verdict.Outcome
}

// Cases joins outcomes with what the claims say and the architecture of each
// cell.
func Cases(suites []claim.Suite, outcomes []verdict.Outcome, arch map[string]string) []Case {
	sentence := map[string]string{}
	for _, a := range suites {
		for _, c := range a.Claims {
			sentence[c.ID] = c.English
		}
	}
	cases := make([]Case, 0, len(outcomes))
	for _, o := range outcomes {
		cases = append(cases, Case{Arch: arch[o.Cell], Sentence: sentence[o.Claim], Outcome: o})
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
	// One container around everything: Ginkgo shuffles what is at the top and
	// sorts what is below, and a report should never change its order.
	ginkgo.Describe("", func() {
		if !decided(cases) {
			// Ginkgo is content with a tree in which nothing ran.
			ginkgo.It("decides a claim", func() {
				ginkgo.Fail(string(verdict.Incomplete) + ": no claim applies, so nothing was decided")
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

// decided reports whether any claim was to be decided at all.
func decided(cases []Case) bool {
	return slices.ContainsFunc(cases, func(c Case) bool { return c.Outcome.Status != verdict.Unsupported })
}

// group is what cases of one container share.
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
		// Known before the run, so it is no skip: nothing was tried and given
		// up. A pending spec has no body; its reason travels as a label.
		args = append(args, ginkgo.Pending, ginkgo.Label(unsupportedLabel(o.Reason)))
	}
	args = append(args, func() {
		if o.Deviation != "" {
			ginkgo.AddReportEntry("deviation", o.Deviation)
		}
		switch {
		case o.Status == verdict.Pass:
		case o.Status == verdict.Fail && o.Level != verdict.Must:
			// It is shown and changes no verdict, so it must not fail the suite.
			ginkgo.AddReportEntry(fmt.Sprintf("%s (%s)", o.Status, o.Level), o.Reason)
		default:
			ginkgo.Fail(fmt.Sprintf("%s: %s", o.Status, o.Reason))
		}
	})
	ginkgo.It(o.Claim+" "+c.Sentence, args...)
}

// reserved are the characters that Ginkgo's label filters use; a label that
// holds one stops the whole tree.
const reserved = `&|!,()/"`

const unsupportedPrefix = "unsupported:"

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
	return unsupportedPrefix + strings.Join(strings.Fields(plain), " ")
}

// validate refuses what would make Ginkgo end the process while it builds the
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

// withReasons adds to every pending spec why it is pending: its body, which
// could have said so, never runs.
func withReasons(r types.Report) types.Report {
	specs := make(types.SpecReports, len(r.SpecReports))
	copy(specs, r.SpecReports)
	for i := range specs {
		for _, l := range specs[i].LeafNodeLabels {
			if reason, ok := strings.CutPrefix(l, unsupportedPrefix); ok {
				specs[i].ReportEntries = append(specs[i].ReportEntries,
					types.ReportEntry{Name: "unsupported", Value: types.WrapEntryValue(reason)})
			}
		}
	}
	r.SpecReports = specs
	return r
}
