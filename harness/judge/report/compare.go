package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Recordable refuses a run that does not say how kernels are, or not all of it:
// what is recorded is taken for that.
func (r Report) Recordable() error {
	switch {
	case r.Defect != nil:
		return fmt.Errorf("the run is under the injected defect %s, which says nothing of a kernel; run the cells without --defect", r.Defect.Name)
	case r.Focus != "":
		return fmt.Errorf("the run is of %s alone; run the cells without --focus", r.Focus)
	case r.Verdict.Counts.Error+r.Verdict.Counts.NotRun > 0, r.Verdict.Verdict == verdict.Incomplete:
		return errors.New("the run is incomplete; mend what is listed above, then run the cells again")
	}
	return nil
}

// Compare refuses a written report, the JSON in the file at path, if the same evidence now
// gives r instead.
func (r Report) Compare(path string, written []byte) error {
	var before Report
	if err := json.Unmarshal(written, &before); err != nil {
		return fmt.Errorf("read the report %s: %w", path, err)
	}
	if what := difference(before, r); what != "" {
		return fmt.Errorf("%s is not what its evidence gives, %s: the report, the evidence or the claims were changed since; judge it with revision %s, which wrote it, or run the cells again",
			path, what, before.Header.Tool.Revision)
	}
	return nil
}

// difference says what differs first, "" when nothing does. The header differs
// from tool to tool and proves nothing.
func difference(before, now Report) string {
	if len(before.Outcomes) != len(now.Outcomes) {
		return fmt.Sprintf("it has %d outcomes and the evidence gives %d", len(before.Outcomes), len(now.Outcomes))
	}
	for i, was := range before.Outcomes {
		if is := now.Outcomes[i]; !reflect.DeepEqual(was, is) {
			return fmt.Sprintf("it has claim %s on cell %s as %s and the evidence gives claim %s on cell %s as %s%s",
				was.Claim, was.Cell, was.Status, is.Claim, is.Cell, is.Status, otherReason(was, is))
		}
	}
	for _, part := range []struct {
		name    string
		was, is any
	}{
		{"schema", before.Schema, now.Schema},
		{"focus", before.Focus, now.Focus},
		{"injected defect", before.Defect, now.Defect},
		{"verdict", before.Verdict, now.Verdict},
		{"end of the run", before.End, now.End},
		{"kernels, machines and parameters of the cells", before.Cells, now.Cells},
		{"text of the claims", before.Claims, now.Claims},
		{"tiers", before.Tiers, now.Tiers},
	} {
		if !reflect.DeepEqual(part.was, part.is) {
			return "the " + part.name + " being other"
		}
	}
	return ""
}

func otherReason(was, is verdict.Outcome) string {
	switch {
	case was.Status != is.Status:
		return ""
	case was.Text() != is.Text():
		return ", for another reason"
	case was.Known != is.Known:
		return ", with another record of a known failure"
	case was.Deviation != is.Deviation:
		return ", with another deviation"
	}
	return ", seen elsewhere in the evidence"
}
