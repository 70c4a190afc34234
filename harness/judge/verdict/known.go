package verdict

import "fmt"

// Known is the record of a known failure that is about a claim on a cell. The zero Known is
// no record. A record changes neither the status nor the verdict. It decides how a run ends.
type Known struct {
	Reason  string `json:"reason"`
	Link    string `json:"link"`
	Owner   string `json:"owner,omitempty"`
	Until   string `json:"until,omitempty"`   // the last day on which it counts
	FixedIn string `json:"fixedIn,omitempty"` // the first kernel version on which it does not count
	// Over says why the record does not count for this run; "" while it does.
	Over string `json:"over,omitempty"`
	// Place is the file and line of the cell in a record that must go, because it is stale or
	// over; "" for a record that can stay.
	Place string `json:"place,omitempty"`
}

// AsKnown reports whether the outcome is a failure that a record expects.
func (o Outcome) AsKnown() bool {
	return o.Status == Fail && o.Known != Known{} && o.Known.Over == ""
}

// Stale reports whether the claim holds and a record says that it fails.
func (o Outcome) Stale() bool { return o.Status == Pass && o.Known != Known{} }

// Ended reports whether the claim fails and its record does not count any more.
func (o Outcome) Ended() bool { return o.Status == Fail && o.Known.Over != "" }

// Advice says in one sentence what to do about a record that must go; "" for any other
// outcome.
func (o Outcome) Advice() string {
	switch {
	case o.Stale():
		return fmt.Sprintf("%s holds on %s, and %s says that it fails there: remove that line, or the whole entry if it has no other cell",
			o.Claim, o.Cell, o.Known.Place)
	case o.Ended():
		return fmt.Sprintf("%s still fails on %s, and the entry at %s does not count any more (%s): find out why it still fails, then change the entry or remove it",
			o.Claim, o.Cell, o.Known.Place, o.Known.Over)
	}
	return ""
}

// Ending is how a run ends, when failures that are known are told from new ones.
type Ending struct {
	ExitCode int    `json:"exitCode"`
	Reason   string `json:"reason"` // one sentence
	Chinese  string `json:"zh"`     // the same in Chinese
	Known    int    `json:"known"`  // failures that records expect
	Stale    int    `json:"stale"`  // records of claims that hold
	Over     int    `json:"over"`   // failures whose records do not count any more
}

// End returns how a run with these outcomes ends. It ends with 0 if and only if everything
// is as expected: every other claim is as Decide asks, and no record is stale.
func End(outcomes []Outcome) Ending {
	var e Ending
	expected := make([]Outcome, len(outcomes))
	for i, o := range outcomes {
		switch {
		case o.AsKnown():
			e.Known++
			o.Status = Pass
		case o.Stale():
			e.Stale++
		case o.Ended():
			e.Over++
		}
		expected[i] = o
	}
	d := Decide(expected)
	e.ExitCode, e.Reason, e.Chinese = d.ExitCode, d.Reason, d.Chinese
	switch {
	case d.ExitCode == ExitNonConformant && e.Known == 1:
		e.Reason += "; 1 other is a known failure"
		e.Chinese += "；另有 1 条是已知失败"
	case d.ExitCode == ExitNonConformant && e.Known > 1:
		e.Reason += fmt.Sprintf("; %d others are known failures", e.Known)
		e.Chinese += fmt.Sprintf("；另有 %d 条是已知失败", e.Known)
	case d.ExitCode == ExitNonConformant:
	case e.Stale == 1:
		e.ExitCode, e.Reason, e.Chinese = ExitNonConformant, "a record of a known failure is stale", "有 1 个已知失败的条目已经过时"
	case e.Stale > 1:
		e.ExitCode = ExitNonConformant
		e.Reason = fmt.Sprintf("%d records of known failures are stale", e.Stale)
		e.Chinese = fmt.Sprintf("有 %d 个已知失败的条目已经过时", e.Stale)
	case d.ExitCode != ExitConformant:
	case e.Known == 1:
		e.Reason = "everything is as expected, and the one MUST that does not hold is known"
		e.Chinese = "一切符合预期，唯一不成立的 MUST 是已知的"
	case e.Known > 1:
		e.Reason = fmt.Sprintf("everything is as expected, and all %d MUSTs that do not hold are known", e.Known)
		e.Chinese = fmt.Sprintf("一切符合预期，不成立的 %d 条 MUST 都是已知的", e.Known)
	}
	return e
}

// Strictly returns outcomes without the records that excuse a failure. A strict run ends as
// these do. Stale records stay.
func Strictly(outcomes []Outcome) []Outcome {
	strict := make([]Outcome, len(outcomes))
	for i, o := range outcomes {
		if o.AsKnown() {
			o.Known = Known{}
		}
		strict[i] = o
	}
	return strict
}

// Recorded reports whether a record is about one of the outcomes.
func Recorded(outcomes []Outcome) bool {
	for _, o := range outcomes {
		if (o.Known != Known{}) {
			return true
		}
	}
	return false
}
