package report

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/mapstack/conformance/harness/verdict"
)

// WriteTable writes the report for a terminal: cells against suites, then
// everything that is no pass, then the verdict.
func (r Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	matrix, err := r.matrix()
	if err != nil {
		return err
	}
	b.WriteString(matrix)
	b.WriteString("Counts are pass/fail/error/unsupported/not-run.\n")
	b.WriteString(r.problems())
	fmt.Fprintf(&b, "\n%s: %s.\n", strings.ToUpper(string(r.Verdict.Verdict)), r.Verdict.Reason)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

func (r Report) matrix() (string, error) {
	suites := r.suiteNames()
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "CELL\tKERNEL\tACCEL\tSECONDS\t%sVERDICT\n", cells(suites, strings.ToUpper))
	for _, c := range r.Cells {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s%s\n", c.Name, orDash(c.Kernel.Release), orDash(c.Accelerator),
			r.seconds(c.Name), cells(suites, c.counts), c.Verdict.Verdict)
	}
	if err := t.Flush(); err != nil {
		return "", fmt.Errorf("lay out the table: %w", err)
	}
	return b.String(), nil
}

func cells(suites []string, text func(string) string) string {
	var b strings.Builder
	for _, s := range suites {
		b.WriteString(text(s) + "\t")
	}
	return b.String()
}

func (r Report) suiteNames() []string {
	seen := map[string]bool{}
	var names []string
	for _, c := range r.Cells {
		for _, s := range c.Suites {
			if !seen[s.Name] {
				seen[s.Name] = true
				names = append(names, s.Name)
			}
		}
	}
	sort.Strings(names)
	return names
}

func (r Report) seconds(cell string) string {
	s, ok := r.Header.Seconds[cell]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f", s)
}

func (c Cell) counts(suite string) string {
	for _, s := range c.Suites {
		if s.Name == suite {
			n := s.Counts
			return fmt.Sprintf("%d/%d/%d/%d/%d", n.Pass, n.Fail, n.Error, n.Unsupported, n.NotRun)
		}
	}
	return "-"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// problems lists what is neither pass nor unsupported. Outcomes of one cell
// with the same status and reason share an entry: a cell that did not boot
// would else print its console tail once per claim.
func (r Report) problems() string {
	sentence := map[string]string{}
	for _, c := range r.Claims {
		sentence[c.ID] = c.English
	}
	var b strings.Builder
	for i := 0; i < len(r.Outcomes); i++ {
		o := r.Outcomes[i]
		if o.Status == verdict.Pass || o.Status == verdict.Unsupported || r.reportedBefore(i) {
			continue
		}
		fmt.Fprintf(&b, "\n%s  %s  ", strings.ToUpper(string(o.Status)), o.Cell)
		switch ids := r.sameProblem(o); {
		case len(ids) > fewClaims:
			fmt.Fprintf(&b, "%d claims\n", len(ids))
		case len(ids) > 1:
			fmt.Fprintf(&b, "%d claims: %s\n", len(ids), strings.Join(ids, " "))
		default:
			fmt.Fprintf(&b, "%s %s: %s\n", o.Claim, o.Level, sentence[o.Claim])
		}
		for _, line := range strings.Split(o.Reason, "\n") {
			b.WriteString("    " + line + "\n")
		}
	}
	return b.String()
}

// fewClaims is how many claims with one reason are named; more of them are a
// whole cell's, and the JSON report has the list.
const fewClaims = 10

func alike(a, b verdict.Outcome) bool {
	return a.Cell == b.Cell && a.Status == b.Status && a.Reason == b.Reason
}

func (r Report) reportedBefore(i int) bool {
	for _, earlier := range r.Outcomes[:i] {
		if alike(earlier, r.Outcomes[i]) {
			return true
		}
	}
	return false
}

func (r Report) sameProblem(o verdict.Outcome) []string {
	var ids []string
	for _, other := range r.Outcomes {
		if alike(o, other) {
			ids = append(ids, other.Claim)
		}
	}
	return ids
}
