// Package changes tells what differs between two runs: two kernels, or one kernel yesterday and
// today.
package changes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Kind says what a change means. The strongest comes first.
type Kind string

const (
	Regression  Kind = "regression"  // the claim was no problem, and now fails, ends in an error or did not run
	Improvement Kind = "improvement" // the other way round
	Otherwise   Kind = "otherwise"   // it passes on one side and does not apply on the other, or fails in another way
	Behaviour   Kind = "behaviour"   // it passes on both sides, where other things are expected
	// Detail is no change of the kernel that a claim cares for: it passes on both sides, and
	// only numbers differ, or what was observed within what is expected.
	Detail Kind = "detail"
)

// Kinds returns the kinds that are changes, the strongest first. Detail is none.
func Kinds() []Kind { return []Kind{Regression, Improvement, Otherwise, Behaviour} }

// Change is a claim that two cells decide differently.
type Change struct {
	Kind    Kind
	Was, Is verdict.Outcome
}

// Changes is all that differs between two runs.
type Changes struct {
	// Pairs are the names of the cells that were compared, of both runs.
	Pairs [][2]string
	// Unpaired are cells of one run alone, and claims that one cell of a pair alone was asked.
	Unpaired []string
	List     []Change // by cell and claim
	Details  []Change // the same, of the kind Detail
}

// Between compares two runs. Cells with the same name are compared. If each run has one cell
// alone, these are compared, whatever their names.
func Between(before, after report.Report) (Changes, error) {
	var c Changes
	if len(before.Cells) == 1 && len(after.Cells) == 1 {
		c.Pairs = [][2]string{{before.Cells[0].Name, after.Cells[0].Name}}
	} else {
		c.pair(before, after)
	}
	if len(c.Pairs) == 0 {
		return c, fmt.Errorf("the runs have no cell in common; name one cell of each, as DIR@CELL")
	}
	was, is := byCell(before), byCell(after)
	for _, p := range c.Pairs {
		c.compare(p, was[p[0]], is[p[1]])
	}
	return c, nil
}

// pair finds the cells that both runs have.
func (c *Changes) pair(before, after report.Report) {
	has := func(r report.Report, name string) bool {
		return slices.ContainsFunc(r.Cells, func(c report.CellReport) bool { return c.Name == name })
	}
	for _, b := range before.Cells {
		if has(after, b.Name) {
			c.Pairs = append(c.Pairs, [2]string{b.Name, b.Name})
		} else {
			c.Unpaired = append(c.Unpaired, "cell "+b.Name+" of the first run")
		}
	}
	for _, a := range after.Cells {
		if !has(before, a.Name) {
			c.Unpaired = append(c.Unpaired, "cell "+a.Name+" of the second run")
		}
	}
}

func byCell(r report.Report) map[string][]verdict.Outcome {
	all := map[string][]verdict.Outcome{}
	for _, o := range r.Outcomes {
		all[o.Cell] = append(all[o.Cell], o)
	}
	return all
}

func (c *Changes) compare(p [2]string, before, after []verdict.Outcome) {
	is := map[string]verdict.Outcome{}
	for _, o := range after {
		is[o.Claim] = o
	}
	var first, second []string // claims that only one run was asked
	for _, was := range before {
		now, asked := is[was.Claim]
		delete(is, was.Claim)
		if !asked {
			first = append(first, was.Claim)
			continue
		}
		switch kind := kindOf(was, now); kind {
		case "":
		case Detail:
			c.Details = append(c.Details, Change{kind, was, now})
		default:
			c.List = append(c.List, Change{kind, was, now})
		}
	}
	for _, o := range after {
		if _, left := is[o.Claim]; left {
			second = append(second, o.Claim)
		}
	}
	c.alone(first, p[0]+" of the first run")
	c.alone(second, p[1]+" of the second run")
}

// namedAlone is how many claims of one run alone are named. A narrow run against a whole one
// leaves hundreds.
const namedAlone = 8

// alone notes claims that one run alone was asked.
func (c *Changes) alone(claims []string, where string) {
	if len(claims) == 0 {
		return
	}
	text := strings.Join(claims[:min(len(claims), namedAlone)], ", ")
	if more := len(claims) - namedAlone; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	c.Unpaired = append(c.Unpaired, text+" on "+where)
}

// kindOf says how two outcomes of one claim differ; "" if they do not.
func kindOf(was, is verdict.Outcome) Kind {
	switch {
	case !bad(was) && bad(is):
		return Regression
	case bad(was) && !bad(is):
		return Improvement
	case was.Status != is.Status, was.Status == verdict.Fail && (was.Expected != is.Expected || was.Observed != is.Observed):
		return Otherwise
	case was.Status != verdict.Pass:
		return ""
	case Words(was.Expected) != Words(is.Expected):
		return Behaviour
	case was.Expected != is.Expected, was.Observed != is.Observed:
		return Detail
	}
	return ""
}

// number is an address, a size or a count. It differs between two runs of one kernel, or
// follows from the memory and the processes of the guest.
var number = regexp.MustCompile(`\b(0x[0-9a-f]+|[0-9]+)\b`)

// Words returns a text with N for every number. What a claim expects of a kernel that behaves
// otherwise differs in words: an error's name, a flag, a bound, true or false.
func Words(s string) string { return number.ReplaceAllString(s, "N") }

// bad reports whether an outcome is a problem. A failure stays one if a record knows it: what is
// compared is kernels, and not lists.
func bad(o verdict.Outcome) bool { return o.Status != verdict.Pass && o.Status != verdict.Unsupported }

// Of returns the changes of one kind.
func (c Changes) Of(k Kind) (some []Change) {
	for _, one := range append(c.List[:len(c.List):len(c.List)], c.Details...) {
		if one.Kind == k {
			some = append(some, one)
		}
	}
	return some
}

// Narrow returns a report with one of its cells alone.
func Narrow(r report.Report, cell string) (report.Report, error) {
	var names []string
	for _, c := range r.Cells {
		if c.Name == cell {
			r.Cells = []report.CellReport{c}
			r.Outcomes = slices.DeleteFunc(slices.Clone(r.Outcomes), func(o verdict.Outcome) bool { return o.Cell != cell })
			return r, nil
		}
		names = append(names, c.Name)
	}
	return r, fmt.Errorf("the run has no cell %q; it has %s", cell, strings.Join(names, ", "))
}
