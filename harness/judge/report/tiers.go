package report

import "github.com/mapstack/conformance/harness/judge/verdict"

// Tiers compares what real kernels, twins and models say of an architecture whose
// kernels nobody can download.
type Tiers struct {
	Arch       string      `json:"arch"` // GOARCH
	Tiers      []Tier      `json:"tiers"`
	Assertions []Assertion `json:"assertions"` // of the article about it
}

// Tier is the cells of one tier, and what they decided.
type Tier struct {
	Tier    string           `json:"tier"` // Real, Twin or Model
	Cells   []string         `json:"cells"`
	Verdict verdict.Decision `json:"verdict"`
	// Missing says why nothing was decided, and how to supply what is needed.
	Missing string `json:"missing,omitempty"`
}

// Assertion is one sentence of an article, and what each tier says of it.
type Assertion struct {
	ID      string   `json:"id"`
	English string   `json:"en"`
	Chinese string   `json:"zh"`
	Claims  []string `json:"claims,omitempty"` // that decide it
	Real    string   `json:"real,omitempty"`
	Twin    string   `json:"twin,omitempty"`
	// Model says whether ModelClaims held. They state what programs would do if the
	// assertion were right.
	Model       string   `json:"model,omitempty"`
	ModelClaims []string `json:"modelClaims,omitempty"`
	Read        *Text    `json:"read,omitempty"` // what a source says, where no kernel can decide
}

// Text is a sentence in both languages.
type Text struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

// Tiers by name, as the matrix has them.
const (
	Real  = "real"
	Twin  = "twin"
	Model = "model"
)

// WithoutReal returns how the run ends without the cells of the real tier. ok
// is false when the report has no tiers, or when a real kernel decided a claim:
// its answer must not be set aside.
func (r Report) WithoutReal(strict bool) (end verdict.Ending, ok bool) {
	if r.Tiers == nil {
		return end, false
	}
	out := map[string]bool{}
	for _, c := range r.Cells {
		if c.Tier == Real {
			if c.Verdict.Counts.Pass+c.Verdict.Counts.Fail+c.Verdict.Counts.Error > 0 {
				return end, false
			}
			out[c.Name] = true
		}
	}
	var rest []verdict.Outcome
	for _, o := range r.Outcomes {
		if !out[o.Cell] {
			rest = append(rest, o)
		}
	}
	if strict {
		rest = verdict.Strictly(rest)
	}
	return verdict.End(rest), true
}
