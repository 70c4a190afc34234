package summary

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// problems lists the outcomes that are neither pass nor unsupported. Outcomes of
// one cell with the same status and reason share an entry: otherwise a cell that
// did not boot would print the end of its console once per claim.
func (s Style) problems(r report.Report) string {
	sentence := map[string]string{}
	for _, c := range r.Claims {
		sentence[c.ID] = s.Language.Pick(c.English, c.Chinese)
	}
	var b strings.Builder
	for _, e := range Entries(r) {
		o := e.First
		fmt.Fprintf(&b, "\n%s  %s  ", Heading(o), o.Cell)
		switch ids := e.Claims; {
		case len(ids) > fewClaims:
			b.WriteString(s.say("%d claims\n", "%d 条断言\n", len(ids)))
		case len(ids) > 1:
			b.WriteString(s.say("%d claims: %s\n", "%d 条断言：%s\n", len(ids), strings.Join(ids, " ")))
		default:
			fmt.Fprintf(&b, "%s %s: %s\n", o.Claim, o.Level, sentence[o.Claim])
		}
		if o.Reason != "" {
			for _, line := range strings.Split(o.Reason, "\n") {
				b.WriteString("    " + line + "\n")
			}
		}
		if o.Status == verdict.Fail && o.Expected != "" {
			b.WriteString(s.say("    expected: %s\n    observed: %s\n", "    预期：%s\n    实际：%s\n", o.Expected, o.Observed))
		}
		if (o.Known != verdict.Known{}) {
			b.WriteString(s.say("    known: %s (%s)\n", "    已知：%s（%s）\n", o.Known.Reason, strings.Join(terms(o.Known), ", ")))
		}
		if o.Accepted() {
			b.WriteString(s.say("    deviation: %s (%s)\n", "    偏差：%s（%s）\n", o.Deviation.Reason, o.Deviation.Source))
		}
		b.WriteString(s.say("    again: ", "    重新运行：") + e.Again(r) + "\n")
	}
	return b.String()
}

// Heading names the status of an outcome.
func Heading(o verdict.Outcome) string {
	switch {
	case o.AsKnown():
		return "FAIL, AS KNOWN"
	case o.Accepted():
		return "FAIL, ACCEPTED"
	}
	return strings.ToUpper(string(o.Status))
}

// terms lists where a record points to, who looks after it, and when it ends.
func terms(k verdict.Known) []string {
	all := []string{k.Link}
	for _, t := range []struct{ before, value string }{{"owner ", k.Owner}, {"until ", k.Until}, {"fixed in ", k.FixedIn}, {"over: ", k.Over}} {
		if t.value != "" {
			all = append(all, t.before+t.value)
		}
	}
	return all
}

// records lists the records of known failures that must go, with what to do about each.
func (s Style) records(r report.Report) string {
	var b strings.Builder
	for _, o := range r.Outcomes {
		switch {
		case o.Stale():
			fmt.Fprintf(&b, "\nSTALE  %s  %s\n    %s.\n", o.Cell, o.Claim, o.Advice())
		case o.Ended():
			fmt.Fprintf(&b, "\nOVER  %s  %s\n    %s.\n", o.Cell, o.Claim, o.Advice())
		}
	}
	return b.String()
}

// fewClaims is the most claims that an entry names. More of them are usually those
// of a whole cell, and the JSON report lists them.
const fewClaims = 10

// Entry is the outcomes that are alike: of one cell, with the same status, reason and records.
type Entry struct {
	First  verdict.Outcome
	Claims []string // the IDs of all of them
}

// Again returns the command that runs the outcomes of an entry again: the cell, and one claim
// alone if there is only one.
func (e *Entry) Again(r report.Report) string {
	if len(e.Claims) == 1 {
		return Repeat(r, e.First.Cell, e.First.Claim)
	}
	return repeat(r, e.First.Cell, injected(r))
}

// Entries returns the entries of the outcomes that are neither pass nor unsupported, in the
// order in which they come first. Evidence may have any number of them.
func Entries(r report.Report) (all []*Entry) {
	type key struct {
		cell, reason string
		status       verdict.Status
		known        verdict.Known
		deviation    verdict.Deviation
	}
	at := map[key]*Entry{}
	for _, o := range r.Outcomes {
		if o.Status == verdict.Pass || o.Status == verdict.Unsupported {
			continue
		}
		k := key{o.Cell, o.Text(), o.Status, o.Known, o.Deviation}
		if at[k] == nil {
			at[k] = &Entry{First: o}
			all = append(all, at[k])
		}
		at[k].Claims = append(at[k].Claims, o.Claim)
	}
	return all
}
