package suites

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/suites/internal/claim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestClaimsAreComplete(t *testing.T) {
	if err := claim.Validate(All()); err != nil {
		t.Error(err)
	}
	names := []string{}
	for _, a := range All() {
		names = append(names, a.Name)
	}
	if !slices.IsSorted(names) {
		t.Errorf("suites %v are not sorted", names)
	}
}

// strays are the claims whose prefix is another suite's. Their IDs are quoted and
// never change. The list is frozen: a new claim has the prefix of its suite.
var strays = map[string]string{
	"goruntime":  "IN-001 IN-002 IN-003 IN-004 IN-005 IN-006 IN-007 IN-008",
	"limits":     "CL-017 CL-018 CL-101 CL-102 CL-103 CL-104",
	"mapstack":   "PR-001 PR-002 PR-003 PR-006 PR-007 PR-009 PR-010 PR-011 PR-013 PR-014 PR-015",
	"mmapabi":    "AD-001 SG-011",
	"protection": "SG-009",
	"tracing":    "SG-005 SG-006 SG-007 SG-008 SG-010 SG-102 SG-103 SG-104",
}

// TestASuiteHasOnePrefix fails if a reader of an ID has to guess its suite.
func TestASuiteHasOnePrefix(t *testing.T) {
	for _, a := range All() {
		known := strings.Fields(strays[a.Name])
		var found []string
		for _, c := range a.Claims {
			if !strings.HasPrefix(c.ID, a.Prefix+"-") {
				found = append(found, c.ID)
			}
		}
		slices.Sort(found)
		if d := cmp.Diff(known, found, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("claims of suite %s with another prefix than %s:\n%s", a.Name, a.Prefix, d)
		}
	}
}

// TestWordingChangesOnPurpose fails when an ID, a level or a sentence changes
// without claims.golden: reports and certificates quote them.
func TestWordingChangesOnPurpose(t *testing.T) {
	var b strings.Builder
	for _, c := range Claims() {
		fmt.Fprintf(&b, "%s %s %s\n  %s\n  %s\n  (%s)\n", c.ID, c.Suite, c.Level, c.English, c.Chinese, c.Source)
	}
	golden(t, "claims.golden", b.String())
}

// golden compares a text with a golden file. With -update it writes the file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs; run with -update if that is meant:\n%s", file, d)
	}
}

func cells(t *testing.T) []matrix.Cell {
	t.Helper()
	data, err := fs.ReadFile(fixtures.FS(), "cells.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := matrix.Parse("cells.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryClaimIsReachedByACellOfTheMatrix(t *testing.T) {
	if ids := claim.Unreachable(All(), cells(t)); len(ids) > 0 {
		t.Errorf("no cell decides %v", ids)
	}
}

func TestRecordedDeviationsCanApply(t *testing.T) {
	if _, err := Deviations(fixtures.FS(), cells(t)); err != nil {
		t.Error(err)
	}
	stray := fstest.MapFS{"deviations.yaml": {Data: []byte(
		"deviations:\n  - {claim: MS-999, cells: ['*'], reason: r, source: s}\n")}}
	if _, err := Deviations(stray, cells(t)); err == nil || !strings.Contains(err.Error(), "MS-999") {
		t.Errorf("a deviation from no claim: %v", err)
	}
}

func TestFocusNamesSuitesAndClaims(t *testing.T) {
	for _, tc := range []struct {
		focus  string
		probes []string // after facts and sysconf
	}{
		{"", []string{"address", "cloneflags", "mapstack", "mmapabi", "newosproc", "oslimits", "protection", "sigstack", "stage0", "threadlimits", "tracing", "variants", "zeropage"}},
		{"MS-003", []string{"mapstack"}},
		{"ms-003", []string{"mapstack"}},
		{"mmapabi", []string{"mmapabi"}},
		{"MmapABI", []string{"mmapabi"}},
		{"CL-001, mmapabi", []string{"cloneflags", "mmapabi"}},
	} {
		got, err := ProbesFor(tc.focus)
		if d := cmp.Diff(append([]string{"facts", "sysconf"}, tc.probes...), got); err != nil || d != "" {
			t.Errorf("focus %q: %v %s", tc.focus, err, d)
		}
	}
	for _, focus := range []string{"MS-999", "nonsense", "mmapabi,nonsense", "Nope"} {
		_, err := ProbesFor(focus)
		if err == nil {
			t.Fatalf("focus %q is accepted", focus)
		}
		wrong := focus[strings.LastIndexByte(focus, ',')+1:]
		for _, part := range []string{fmt.Sprintf("%q is neither", wrong), "address (AD)", "mapstack (MS, PR)", "mmapabi (MF, AD, SG)", "tracing (TR, SG)"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("focus %q: the error does not say %s: %v", focus, part, err)
			}
		}
		if _, err := JudgeAll(nil, focus, nil); err == nil {
			t.Errorf("focus %q is judged", focus)
		}
	}
}

// dead returns two cells without any transcript.
func dead() []evidence.CellRun {
	return []evidence.CellRun{
		{Cell: matrix.Cell{Name: "b", Arch: "amd64"}, Failure: &failure.Failure{Kind: failure.Panic, Message: "it died"}},
		{Cell: matrix.Cell{Name: "a", Arch: "arm64"}, Failure: &failure.Failure{Kind: failure.Infra, Message: "no disk"}},
	}
}

func TestCellsThatGaveNothingStillHaveEveryOutcome(t *testing.T) {
	outcomes, err := JudgeAll(dead(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * len(Claims()); len(outcomes) != want {
		t.Errorf("%d outcomes, want %d", len(outcomes), want)
	}
	for _, o := range outcomes {
		want := map[string]verdict.Status{"a": verdict.Error, "b": verdict.NotRun}[o.Cell]
		if o.Status != want && o.Status != verdict.Unsupported || o.Suite == "" {
			t.Errorf("%+v", o)
		}
	}
	if !slices.IsSortedFunc(outcomes, func(x, y verdict.Outcome) int { return strings.Compare(x.Cell, y.Cell) }) {
		t.Error("outcomes are not sorted")
	}
	if d := verdict.Decide(outcomes); d.ExitCode != verdict.ExitInfrastructure {
		t.Errorf("%+v", d)
	}
	only, err := JudgeAll(dead(), "MS-003", nil)
	if err != nil || len(only) != 2 {
		t.Errorf("focus MS-003: %d outcomes, %v", len(only), err)
	}
}

// TestNothingIsSkipped fails if a suite skips a spec, which says neither that the
// claim holds nor why it was not tried.
func TestNothingIsSkipped(t *testing.T) {
	word := "Skip" + "("
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte(word)) {
			t.Errorf("%s calls %s)", path, word)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheArticleNamesClaimsThatExist(t *testing.T) {
	text, err := article.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range text.Claims() {
		if _, err := ClaimsFor(id); err != nil {
			t.Error(err)
		}
	}
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if c.Tier != matrix.Model {
			continue
		}
		// The cell of the article's models must be asked exactly their claims.
		claims, err := ClaimsFor(c.Focus)
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		for _, a := range claims {
			asked = append(asked, a.ID)
		}
		slices.Sort(asked)
		if c.For == text.Arch && !slices.Equal(asked, text.Models()) {
			t.Errorf("cell %s is asked %v, and the article's models are %v", c.Name, asked, text.Models())
		}
	}
}
