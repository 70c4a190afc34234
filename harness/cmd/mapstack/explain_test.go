package main

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// TestEverythingThatHasANameIsExplained fails if a claim, a suite or a defect cannot be looked
// up, or if the table and the recordings do not know it.
func TestEverythingThatHasANameIsExplained(t *testing.T) {
	l, err := library(language.English)
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, r := range l.Recorded {
		recorded[r.Claim] = true
	}
	names := []string{}
	for _, c := range l.Claims {
		names = append(names, c.ID)
		if _, tabled := l.Proofs[c.ID]; !tabled || !recorded[c.ID] {
			t.Errorf("%s: in the kill table %v, recorded %v", c.ID, tabled, recorded[c.ID])
		}
		if c.Probe != "" && c.Suite != "features" && len(c.Steps) == 0 {
			t.Errorf("%s reads no step on any recorded kernel", c.ID)
		}
	}
	for _, s := range l.Suites {
		names = append(names, s.Name)
	}
	for _, m := range l.Models {
		names = append(names, m.Name)
		if claims, _ := l.Catchers(m.Name); len(claims) == 0 {
			t.Errorf("no claim catches %s in the table", m.Name)
		}
	}
	if len(names) < 400 {
		t.Errorf("only %d names", len(names))
	}
	for _, name := range names {
		var first, again strings.Builder
		for _, b := range []*strings.Builder{&first, &again} {
			if err := l.Explain(b, strings.ToLower(name), language.English); err != nil {
				t.Fatal(err)
			}
		}
		if first.String() != again.String() || !strings.HasPrefix(strings.ToLower(first.String()), strings.ToLower(name)) || strings.Contains(first.String(), "%!") {
			t.Errorf("%s:\n%s", name, first.String())
		}
	}
}

func TestAnExplanationSaysWhatAFailureMeansAndWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		args  []string
		wants []string
	}{
		{[]string{"explain", "PR-107"}, []string{"MUST: a kernel that fails it is non-conformant", "Probe:   zeropage", "mprotect", "mprotect-owns-what-was-read: mprotect takes a page",
			"fail on mips64le-debian12-6.1-malta\n", "fixtures/known-failures.yaml, on mips64le-debian12-6.1-malta", "ends 2027-12-31, Linux 6.12",
			"docs/findings.md#linux-61-on-mips-frees-the-page-of-zeroes", "mapstack run --focus PR-107"}},
		{[]string{"explain", "pr-107", "--lang", "zh"}, []string{"级别：  MUST", "docs/findings.zh-CN.md#linux-61-on-mips-frees-the-page-of-zeroes", "如果它在这里失败"}},
		{[]string{"explain", "SG-007"}, []string{"SHOULD: a failure is reported and changes no verdict", "unsupported on", "PTRACE_SET_SYSCALL_INFO; it is unsupported without", "answers EIO"}},
		{[]string{"explain", "AD-000"}, []string{"counts what the other claims", "no defect model: it counts"}},
		{[]string{"explain", "mapstack"}, []string{"MS-001 MUST", "--focus mapstack"}},
		{[]string{"explain", "protection", "--lang", "zh"}, []string{"PR-107 MUST", "在 2 个有记录的单元上失败"}},
		{[]string{"explain", "stack-eperm"}, []string{"mmap refuses MAP_STACK with EPERM.", "MS-001 MUST: ", "--defect stack-eperm"}},
	} {
		out, err := execute(t, tc.args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.wants {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in\n%s", tc.args, want, out)
			}
		}
	}
}

func TestAnUnknownNameGetsTheNearestOnes(t *testing.T) {
	for name, want := range map[string]string{"MS-0003": "MS-003", "mapstak": "mapstack", "stack-eprm": "stack-eperm", "\x1b[31m": "no claim"} {
		_, err := execute(t, "explain", name)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if code := exitCode(err); code != verdict.ExitInfrastructure {
			t.Errorf("%s: exit status %d", name, code)
		}
	}
}
