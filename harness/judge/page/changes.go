package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/changes"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

var (
	//go:embed changes.html
	changesMarkup string
	//go:embed changes.js
	changesScript template.JS
)

// compared is what the template of changes shows. Every text is safe to show.
type compared struct {
	Style       template.CSS
	Script      template.JS
	Pairs       [][2]side
	Groups      []group
	Details     group
	Unpaired    []string
	Regressions int
	All         int // changes of every kind but Detail
}

// side is a cell on one side of a comparison.
type side struct{ Cell, Kernel, Verdict string }

// group are the changes of one kind.
type group struct {
	Kind  changes.Kind
	Title text
	List  []change
}

// change is a changes.Change with the sentence of its claim.
type change struct {
	Claim, Cell string
	Level       verdict.Level
	Sentence    text
	Was, Is     found
}

// WriteChanges writes what differs between two runs as one HTML file, which needs no other.
func WriteChanges(w io.Writer, before, after report.Report, c changes.Changes) error {
	t, err := template.New("changes").Funcs(template.FuncMap{"statusWord": statusWord, "hash": hash}).Parse(changesMarkup)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	sentences := map[string]text{}
	for _, r := range []report.Report{before, after} {
		for _, claim := range r.Claims {
			sentences[claim.ID] = text{foreign.Text(claim.English), foreign.Text(claim.Chinese)}
		}
	}
	s := compared{Style: style, Script: changesScript, Regressions: len(c.Of(changes.Regression)), All: len(c.List), Details: grouped(c, changes.Detail, sentences)}
	for _, k := range changes.Kinds() {
		if g := grouped(c, k, sentences); len(g.List) > 0 {
			s.Groups = append(s.Groups, g)
		}
	}
	for _, p := range c.Pairs {
		s.Pairs = append(s.Pairs, [2]side{sideOf(before, p[0]), sideOf(after, p[1])})
	}
	for _, u := range c.Unpaired {
		s.Unpaired = append(s.Unpaired, foreign.Text(u))
	}
	if err := t.Execute(w, s); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func sideOf(r report.Report, cell string) side {
	s := side{Cell: foreign.Text(cell)}
	for _, c := range r.Cells {
		if c.Name == cell {
			p := c.Kernel.Provenance
			s.Kernel = foreign.Text(strings.TrimSpace(strings.Join([]string{c.Kernel.Release, p.Package, p.Version}, " ")))
			s.Verdict = string(c.Verdict.Verdict)
		}
	}
	return s
}

func grouped(c changes.Changes, k changes.Kind, sentences map[string]text) group {
	g := group{Kind: k, Title: both(k.In)}
	for _, one := range c.Of(k) {
		sides := foundIn([]verdict.Outcome{one.Was, one.Is})
		g.List = append(g.List, change{Claim: foreign.Text(one.Is.Claim), Cell: foreign.Text(one.Is.Cell), Level: one.Is.Level, Sentence: sentences[one.Is.Claim], Was: sides[0], Is: sides[1]})
	}
	return g
}
