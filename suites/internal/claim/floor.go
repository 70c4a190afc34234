package claim

import (
	"fmt"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
)

// FloorID returns the ID of the claim that enough claims of the suite were decided; "" if
// the suite has no floor.
func (a Suite) FloorID() string {
	if a.Floor == 0 {
		return ""
	}
	return a.Prefix + "-000"
}

// FloorText returns the sentence of that claim in both languages.
func (a Suite) FloorText() Text {
	return Text{
		English: fmt.Sprintf("Of the claims of this suite that apply to the architecture, %d or more are decided.", a.Floor),
		Chinese: fmt.Sprintf("本套件中适用于该架构的断言至少有 %d 条得出结果。", a.Floor),
	}
}

// floor decides whether enough claims of the suite were decided on a cell. A kernel that
// lacks half of what a suite asks must not be called conformant for the other half.
func (a Suite) floor(ev Evidence, outcomes []verdict.Outcome) verdict.Outcome {
	o := verdict.Outcome{Cell: ev.Cell.Name, Suite: a.Name, Claim: a.FloorID(), Level: verdict.Must, Status: verdict.Pass}
	table, known := abi.Lookup(ev.Cell.Arch)
	applies, decided, broken := 0, 0, 0
	for i, c := range a.Claims {
		if known && c.Inapplicable(ev.Cell, table) == "" {
			applies++
		}
		switch outcomes[i].Status {
		case verdict.Pass, verdict.Fail:
			decided++
		case verdict.Error:
			broken++
		}
	}
	switch {
	case ev.Cell.Host == matrix.UserMode:
		o.Status, o.Reason = verdict.Unsupported, "a user-mode emulator certifies no kernel, however many claims it decides"
	case applies == 0:
		o.Status, o.Reason = verdict.Unsupported, "no claim of the suite applies here"
	case decided < min(a.Floor, applies):
		if o.Status = verdict.NotRun; broken > 0 {
			o.Status = verdict.Error
		}
		o.Reason = fmt.Sprintf("only %d of %d claims that apply to the architecture were decided, and a verdict needs %d; the other claims say what kept them from it", decided, applies, min(a.Floor, applies))
	}
	return o
}
