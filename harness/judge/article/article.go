// Package article compares what an article asserts of an architecture with what each
// tier of cells decided. The tiers are real kernels of the architecture, its twin,
// and models of the defects that the article asserts.
package article

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/strictyaml"
)

// Article is what an article asserts of one architecture.
type Article struct {
	Title      string      `yaml:"title"` // as published
	URL        string      `yaml:"url"`
	Arch       string      `yaml:"arch"` // GOARCH
	Assertions []Assertion `yaml:"assertions"`
}

// Assertion is one sentence of the article, and what decides it. That is claims which
// refute it where they hold, claims which confirm it, or a source that was read.
type Assertion struct {
	ID          string   `yaml:"id"`
	English     string   `yaml:"en"`
	Chinese     string   `yaml:"zh"`
	RefutedBy   []string `yaml:"refutedBy"`
	ConfirmedBy []string `yaml:"confirmedBy"`
	// Model lists claims that show what programs would do if it were right.
	Model []string `yaml:"model"`
	Read  *Reading `yaml:"read"`
}

// Reading is what a source says, where no kernel can decide.
type Reading struct {
	English string `yaml:"en"`
	Chinese string `yaml:"zh"`
}

const file = "article.yaml"

// Load reads the article of the fixtures.
func Load(fixtures fs.FS) (Article, error) {
	data, err := fs.ReadFile(fixtures, file)
	if err != nil {
		return Article{}, fmt.Errorf("read the article: %w", err)
	}
	return parse(data)
}

func parse(data []byte) (Article, error) {
	var a Article
	if err := strictyaml.Decode(data, &a); err != nil {
		return Article{}, fmt.Errorf("fixtures/%s: %w", file, err)
	}
	var problems []error
	if a.Title == "" || a.URL == "" {
		problems = append(problems, fmt.Errorf("fixtures/%s: title or url is missing; a reader must be able to find the article", file))
	}
	seen := map[string]bool{}
	for _, s := range a.Assertions {
		if problem := s.problem(); problem != "" {
			problems = append(problems, fmt.Errorf("fixtures/%s: assertion %q: %s", file, s.ID, problem))
		}
		if seen[s.ID] {
			problems = append(problems, fmt.Errorf("fixtures/%s: assertion %q is there twice", file, s.ID))
		}
		seen[s.ID] = true
	}
	return a, errors.Join(problems...)
}

func (s Assertion) problem() string {
	ways := 0
	for _, given := range []bool{len(s.RefutedBy) > 0, len(s.ConfirmedBy) > 0, s.Read != nil} {
		if given {
			ways++
		}
	}
	switch {
	case s.ID == "" || s.English == "" || s.Chinese == "":
		return "it needs an id and a sentence in both languages"
	case ways != 1:
		return "exactly one of refutedBy, confirmedBy and read decides it"
	case s.Read != nil && (s.Read.English == "" || s.Read.Chinese == ""):
		return "what was read must be said in both languages"
	case s.Read != nil && len(s.Model) > 0:
		return "what was read has no model"
	}
	return ""
}

// Judge returns what each tier decided of every assertion. It returns nil when no
// real kernel of the architecture was asked for: a twin alone is a kernel of its own.
func (a Article) Judge(cells []matrix.Cell, outcomes []verdict.Outcome) *report.Tiers {
	if !slices.ContainsFunc(cells, func(c matrix.Cell) bool { return c.For == a.Arch && c.Tier == matrix.Real }) {
		return nil
	}
	byTier := map[matrix.Tier][]verdict.Outcome{}
	tiers := report.Tiers{Arch: a.Arch}
	for _, tier := range matrix.Tiers() {
		row := report.Tier{Tier: string(tier)}
		for _, c := range cells {
			if c.For != a.Arch || c.Tier != tier {
				continue
			}
			row.Cells = append(row.Cells, c.Name)
			for _, o := range outcomes {
				if o.Cell == c.Name {
					byTier[tier] = append(byTier[tier], o)
				}
			}
		}
		row.Verdict = verdict.Decide(byTier[tier])
		row.Missing = missing(byTier[tier])
		tiers.Tiers = append(tiers.Tiers, row)
	}
	for _, s := range a.Assertions {
		tiers.Assertions = append(tiers.Assertions, s.judge(byTier))
	}
	return &tiers
}

// missing says why a tier decided nothing, "" when it decided something.
func missing(outcomes []verdict.Outcome) string {
	counts := verdict.Count(outcomes)
	if counts.Pass+counts.Fail > 0 {
		return ""
	}
	for _, o := range outcomes {
		if o.Status != verdict.Unsupported && o.Reason != "" {
			return o.Reason
		}
	}
	return "no cell of this tier was asked for"
}

func (s Assertion) judge(byTier map[matrix.Tier][]verdict.Outcome) report.Assertion {
	row := report.Assertion{ID: s.ID, English: s.English, Chinese: s.Chinese}
	if s.Read != nil {
		row.Read = &report.Text{English: s.Read.English, Chinese: s.Read.Chinese}
		return row
	}
	row.Claims = slices.Concat(s.RefutedBy, s.ConfirmedBy)
	holds, fails := "wrong", "not refuted"
	if len(s.ConfirmedBy) > 0 {
		holds, fails = "right", "not confirmed"
	}
	row.Real = say(byTier[matrix.Real], row.Claims, holds, fails)
	row.Twin = say(byTier[matrix.Twin], row.Claims, holds, fails)
	if len(s.Model) > 0 {
		row.ModelClaims, row.Model = s.Model, say(byTier[matrix.Model], s.Model, "shown", "not shown")
	}
	return row
}

// say puts the outcomes of claims into words: holds when every claim holds, fails when
// one fails. It names the claims that decide when they are not all.
func say(outcomes []verdict.Outcome, claims []string, holds, fails string) string {
	// The worst comes first: one failure outweighs what did not run.
	worst := []struct {
		status verdict.Status
		word   string
	}{{verdict.Fail, fails}, {verdict.Error, "error"}, {verdict.NotRun, "not run"}, {verdict.Unsupported, "does not apply"}}
	by := map[verdict.Status][]string{}
	for _, id := range claims {
		status := verdict.NotRun
		for _, o := range outcomes {
			if o.Claim == id {
				status = o.Status
				break
			}
		}
		by[status] = append(by[status], id)
	}
	for _, w := range worst {
		switch ids := by[w.status]; {
		case len(ids) == 0:
		case len(ids) == len(claims):
			return w.word
		case w.status == verdict.Unsupported:
			return holds + ", without " + strings.Join(ids, " ")
		default:
			return w.word + ": " + strings.Join(ids, " ")
		}
	}
	return holds
}

// Claims returns every claim that the article names.
func (a Article) Claims() []string {
	var ids []string
	for _, s := range a.Assertions {
		ids = slices.Concat(ids, s.RefutedBy, s.ConfirmedBy, s.Model)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Models returns the claims that the models decide.
func (a Article) Models() []string {
	var ids []string
	for _, s := range a.Assertions {
		ids = append(ids, s.Model...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
