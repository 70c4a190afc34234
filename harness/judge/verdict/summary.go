package verdict

import "sort"

// Counts is how many outcomes have each status.
type Counts struct {
	Pass        int `json:"pass"`
	Fail        int `json:"fail"`
	Error       int `json:"error"`
	Unsupported int `json:"unsupported"`
	NotRun      int `json:"notRun"`
}

// Total is the number of outcomes counted.
func (c Counts) Total() int { return c.Pass + c.Fail + c.Error + c.Unsupported + c.NotRun }

// Add counts one more status. An unknown one counts as an error, so that evidence of another
// version does not pass unnoticed.
func (c *Counts) Add(s Status) {
	switch s {
	case Pass:
		c.Pass++
	case Fail:
		c.Fail++
	case Unsupported:
		c.Unsupported++
	case NotRun:
		c.NotRun++
	default:
		c.Error++
	}
}

// Count counts outcomes.
func Count(outcomes []Outcome) Counts {
	var c Counts
	for _, o := range outcomes {
		c.Add(o.Status)
	}
	return c
}

// Summary is what one suite decided on one cell.
type Summary struct {
	Cell  string
	Suite string
	Decision
}

// Summarise decides each suite on each cell, sorted by cell, then suite.
func Summarise(outcomes []Outcome) []Summary {
	type key struct{ cell, suite string }
	groups := map[key][]Outcome{}
	for _, o := range outcomes {
		k := key{o.Cell, o.Suite}
		groups[k] = append(groups[k], o)
	}
	summaries := make([]Summary, 0, len(groups))
	for k, group := range groups {
		summaries = append(summaries, Summary{Cell: k.cell, Suite: k.suite, Decision: Decide(group)})
	}
	sort.Slice(summaries, func(i, j int) bool {
		if summaries[i].Cell != summaries[j].Cell {
			return summaries[i].Cell < summaries[j].Cell
		}
		return summaries[i].Suite < summaries[j].Suite
	})
	return summaries
}

// Cells decides each cell, by name.
func Cells(outcomes []Outcome) map[string]Decision {
	groups := map[string][]Outcome{}
	for _, o := range outcomes {
		groups[o.Cell] = append(groups[o.Cell], o)
	}
	decisions := make(map[string]Decision, len(groups))
	for cell, group := range groups {
		decisions[cell] = Decide(group)
	}
	return decisions
}

// Sort orders outcomes by cell, suite and claim, the order of every report.
func Sort(outcomes []Outcome) {
	sort.SliceStable(outcomes, func(i, j int) bool {
		a, b := outcomes[i], outcomes[j]
		if a.Cell != b.Cell {
			return a.Cell < b.Cell
		}
		if a.Suite != b.Suite {
			return a.Suite < b.Suite
		}
		return a.Claim < b.Claim
	})
}
