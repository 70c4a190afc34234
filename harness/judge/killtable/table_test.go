package killtable

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/defect"
)

func outcome(claim string, level verdict.Level, status verdict.Status) verdict.Outcome {
	return verdict.Outcome{Cell: "c", Suite: "s", Claim: claim, Level: level, Status: status}
}

// sound returns a table without problems.
func sound() Table {
	control := []verdict.Outcome{
		outcome("MS-001", verdict.Must, verdict.Pass), outcome("MS-002", verdict.Must, verdict.Pass),
		outcome("MS-003", verdict.Must, verdict.Unsupported), outcome("MS-006", verdict.Should, verdict.Pass),
	}
	return Table{
		Claims: []report.Claim{{ID: "MS-001", Level: verdict.Must}, {ID: "MS-002", Level: verdict.Must},
			{ID: "MS-003", Level: verdict.Must}, {ID: "MS-006", Level: verdict.Should}},
		Models: []defect.Model{{Name: "a", English: "A.", Chinese: "甲。", Subject: defect.Stack},
			{Name: "b", English: "B.", Chinese: "乙。", Subject: defect.Stack}},
		Excused: map[string]string{"MS-006": "no model was made"},
		Probes:  map[string]string{"MS-001": "mapstack", "MS-002": "mapstack", "MS-003": "mapstack", "MS-006": "mapstack"},
		Kernels: []Kernel{{Name: "c", Control: control, Trials: []Trial{
			{Defect: "a", Outcomes: []verdict.Outcome{
				outcome("MS-001", verdict.Must, verdict.Fail), outcome("MS-002", verdict.Must, verdict.Fail)}},
			{Defect: "b", Unserved: "not here"},
		}}},
	}
}

func TestProblemsAreWhatIsNotProven(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(t *Table)
		expect string // "" for no problem
	}{
		{"nothing", func(*Table) {}, ""},
		{"a control that fails", func(t *Table) { t.Kernels[0].Control[1].Status = verdict.Fail }, "the control, without a defect, is non-conformant"},
		{"a control that decided nothing", func(t *Table) { t.Kernels[0].Control = nil }, "the control, without a defect, is incomplete"},
		{"a defect that nothing catches", func(t *Table) { t.Kernels[0].Trials[1].Unserved = "" }, "no MUST claim catches defect b"},
		{"the same among some of the claims", func(t *Table) { t.Kernels[0].Trials[1].Unserved, t.Partial = "", true }, ""},
		{"a defect that only a SHOULD catches", func(t *Table) {
			t.Kernels[0].Trials[1] = Trial{Defect: "b", Outcomes: []verdict.Outcome{outcome("MS-006", verdict.Should, verdict.Fail)}}
		}, "no MUST claim catches defect b"},
		{"a defect that only loses claims", func(t *Table) {
			t.Kernels[0].Trials[1] = Trial{Defect: "b", Outcomes: []verdict.Outcome{outcome("MS-001", verdict.Must, verdict.Error)}}
		}, "1 claims could not be decided"},
		{"a claim that nothing makes fail", func(t *Table) { t.Kernels[0].Trials[0].Outcomes[1].Status = verdict.Pass }, "no defect makes MUST claim MS-002 fail"},
		{"the same with an excuse", func(t *Table) {
			t.Kernels[0].Trials[0].Outcomes[1].Status = verdict.Pass
			t.Excused["MS-002"] = "no injector can"
		}, ""},
		{"a SHOULD that nothing makes fail", func(t *Table) { delete(t.Excused, "MS-006") }, "no defect makes SHOULD claim MS-006 fail"},
		{"a SHOULD that is caught although it is excused", func(t *Table) {
			t.Kernels[0].Trials[0].Outcomes = append(t.Kernels[0].Trials[0].Outcomes, outcome("MS-006", verdict.Should, verdict.Fail))
		}, ""},
		{"a defect that is noticed by what is not about it", func(t *Table) { t.Probes["MS-002"] = "cloneflags" },
			"defect a makes claims of probe cloneflags fail"},
		{"an excuse without a reason", func(t *Table) {
			t.Kernels[0].Trials[0].Outcomes[1].Status = verdict.Pass
			t.Excused["MS-002"] = ""
		}, "excused without a reason"},
		{"an excuse that is not needed", func(t *Table) { t.Excused["MS-001"] = "no injector can" }, "drop the excuse"},
	} {
		table := sound()
		c.spoil(&table)
		problems := strings.Join(table.Problems(), "\n")
		if (c.expect == "") != (problems == "") || !strings.Contains(problems, c.expect) {
			t.Errorf("%s: %q, want %q", c.name, problems, c.expect)
		}
	}
}

func TestTheWrittenTablesSayWhoCatchesWhat(t *testing.T) {
	var text, markdown strings.Builder
	table := sound()
	if err := table.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := table.WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  2  MS-001 MS-002\n", "not tried: not here\n", "2 defects on 1 kernels: a MUST claim catches each"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	for _, want := range []string{"| `a` | A. 甲。 | 2 |", "| `b` | B. 乙。 | not here |", "| MS-001 | MUST | `a` |", "| MS-006 | SHOULD | none: no model was made |"} {
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("no %q in\n%s", want, markdown.String())
		}
	}
}

// TestAFeatureThatIsOnlyPretendedIsCaught fails if a kernel could say that it has what it
// lacks, because without the defect the claim does not apply.
func TestAFeatureThatIsOnlyPretendedIsCaught(t *testing.T) {
	outcome := func(status verdict.Status, feature string) verdict.Outcome {
		return verdict.Outcome{Cell: "c", Suite: "s", Claim: "MS-001", Level: verdict.Must, Status: status, Feature: feature}
	}
	trial := Trial{Defect: "d", Outcomes: []verdict.Outcome{outcome(verdict.Fail, "")}}
	for _, tc := range []struct {
		control verdict.Outcome
		caught  bool
	}{
		{outcome(verdict.Pass, ""), true},
		{outcome(verdict.Unsupported, "MDWE"), true},
		{outcome(verdict.Unsupported, ""), false}, // another architecture's claim
		{outcome(verdict.Error, "MDWE"), false},
		{outcome(verdict.Fail, ""), false},
	} {
		if got := len(Kernel{Control: []verdict.Outcome{tc.control}}.caught(trial, verdict.Must)) == 1; got != tc.caught {
			t.Errorf("control %+v: caught %v", tc.control, got)
		}
	}
}
