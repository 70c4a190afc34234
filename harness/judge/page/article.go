package page

import (
	"slices"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
)

// statements is what an article says, with what this run says of it.
type statements struct {
	article.Article
	All    []statement
	Counts text
	// Asked says that the run had a kernel of the article's architecture, its twin or a model.
	Asked bool
}

// statement is one of them. Number is its place in the list, from 1.
type statement struct {
	article.Statement
	Number                   int
	Answer                   article.Answer
	Word, Who, Others, Model text
	Claims                   []string // that refute or confirm it
	Evidence, Modelled       []found
}

// found is an outcome that is about a statement. Every text is safe to show.
type found struct {
	Link, Claim, Cell, Status              string
	Expected, Observed, Reason, Path, Step string
}

// about returns the statements of an article with the outcomes of a run; nil if it has none.
func about(a article.Article, cells []evidence.CellRun, outcomes []verdict.Outcome) *statements {
	if len(a.Assertions) == 0 {
		return nil
	}
	all := statements{Article: a}
	var ran []matrix.Cell
	for _, c := range cells {
		ran = append(ran, c.Cell)
		all.Asked = all.Asked || c.Cell.Arch == a.Arch || c.Cell.For == a.Arch
	}
	list := a.Statements(ran, outcomes)
	all.Counts = both(func(l language.Language) string { return article.Counts(list, l) })
	for i, s := range list {
		one := statement{Statement: s, Number: i + 1, Answer: s.Answer(s.Decides), Claims: slices.Concat(s.RefutedBy, s.ConfirmedBy)}
		one.Word, one.Who = both(one.Answer.In), both(func(l language.Language) string { return s.Who(a.Arch, l) })
		one.Others = both(func(l language.Language) string { return article.Counted(s.Elsewhere, l) })
		one.Model = both(func(l language.Language) string { return article.Counted(s.Models, l) })
		one.Evidence, one.Modelled = foundIn(s.Decides), foundIn(s.Models)
		all.All = append(all.All, one)
	}
	return &all
}

func foundIn(outcomes []verdict.Outcome) (all []found) {
	for _, o := range outcomes {
		all = append(all, found{Link: o.Claim + "@" + o.Cell, Claim: o.Claim, Cell: foreign.Text(o.Cell), Status: status(o), Expected: foreign.Lines(o.Expected), Observed: foreign.Lines(o.Observed),
			Reason: foreign.Lines(o.Reason), Path: foreign.Text(o.Where.Path), Step: foreign.Text(o.Where.Step)})
	}
	return all
}
