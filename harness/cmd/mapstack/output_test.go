package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/run/doctor"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/suites"
)

// readAs runs a command line and reads what it writes as JSON. No field may be unknown.
func readAs[T any](t *testing.T, args ...string) (v T, err error) {
	t.Helper()
	text, err := execute(t, args...)
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if problem := d.Decode(&v); problem != nil {
		t.Fatalf("%v: %v, %v in\n%s", args, err, problem, text)
	}
	return v, err
}

// TestOtherProgramsCanListEverything fails if a list for programs lacks what the program has,
// or if the list for people does.
func TestOtherProgramsCanListEverything(t *testing.T) {
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range kindNames() {
		l, err := readAs[listing](t, "list", name, "-o", "json")
		if err != nil || l.Schema != outputSchema {
			t.Errorf("%s: %v, schema %q", name, err, l.Schema)
		}
		var got, want []string
		switch name {
		case "cells":
			for _, c := range l.Cells {
				got = append(got, c.Name)
			}
			for _, c := range cells {
				want = append(want, c.Name)
			}
		case "claims":
			for _, c := range l.Claims {
				got = append(got, c.ID)
			}
			for _, c := range suites.Claims() {
				want = append(want, c.ID)
			}
		case "suites":
			for _, s := range l.Suites {
				got = append(got, s.Name)
				if s.Claims == 0 || s.English == "" || s.Chinese == "" {
					t.Errorf("%+v", s)
				}
			}
			for _, s := range suites.All() {
				want = append(want, s.Name)
			}
		case "probes":
			for _, p := range l.Probes {
				got = append(got, p.Name)
			}
			for _, p := range catalog.Programs() {
				want = append(want, p.Name)
			}
		case "defects":
			for _, d := range l.Defects {
				got = append(got, d.Name)
			}
			for _, m := range defect.Models() {
				want = append(want, m.Name)
			}
		case "systems":
			for _, o := range l.Systems {
				got = append(got, o.ID)
			}
			for _, o := range osname.Systems() {
				want = append(want, o.ID)
			}
		case "arches":
			n := 0
			for _, a := range l.Arches {
				got = append(got, a.Name)
				n += a.Cells
				for _, other := range a.Names {
					if rec, err := arch.Lookup(other); err != nil || rec.GOARCH != a.Name {
						t.Errorf("--arch %s is not %s: %v", other, a.Name, err)
					}
				}
			}
			want = arch.Names()
			if n != len(cells) {
				t.Errorf("%d cells of %d", n, len(cells))
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") || len(want) == 0 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		shown, err := execute(t, "list", name)
		if err != nil {
			t.Error(err)
		}
		for _, each := range want {
			if !strings.Contains(shown, each) {
				t.Errorf("list %s does not show %s", name, each)
			}
		}
	}
	if _, err := execute(t, "list", "nonsense"); err == nil || !strings.Contains(err.Error(), "cells, claims, suites, probes, defects, arches") {
		t.Error(err)
	}
	if _, err := execute(t, "list", "-o", "yaml"); err == nil || !strings.Contains(err.Error(), "give text or json") {
		t.Error(err)
	}
}

func TestOtherProgramsCanReadTheCache(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	if err := os.MkdirAll(filepath.Join(dir, "mapstack"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := readAs[cached](t, "cache", "-o", "json")
	if err != nil || c.Folder != filepath.Join(dir, "mapstack") || c.LimitBytes == 0 || c.Kinds == nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestAVerdictForProgramsIsTheReport fails if the report on the standard output is not the one
// of the run, or if the exit status is lost.
func TestAVerdictForProgramsIsTheReport(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "fixtures", "recorded")
	r := root()
	var out, said strings.Builder
	r.SetArgs([]string{"verdict", folder, "--strict", "-o", "json"})
	r.SetOut(&out)
	r.SetErr(&said)
	if code := exitCode(r.ExecuteContext(t.Context())); code != verdict.ExitNonConformant {
		t.Errorf("exit status %d", code)
	}
	var read report.Report
	if err := json.Unmarshal([]byte(out.String()), &read); err != nil {
		t.Fatal(err)
	}
	if read.Schema != report.Schema || len(read.Outcomes) < 1000 || read.Header.Evidence == "" {
		t.Errorf("schema %q, %d outcomes", read.Schema, len(read.Outcomes))
	}
	if !strings.Contains(said.String(), "transcripts are what the console logs hold") {
		t.Errorf("the standard error says %q", said.String())
	}
}

func TestWhatAMachineLacksIsCounted(t *testing.T) {
	var b strings.Builder
	missing, err := writeFindings(&b, []doctor.Finding{{What: "KVM", State: "no"}, {What: "Go", State: "not in PATH", Remedy: "install it"}}, language.English)
	var read examined
	if problem := json.Unmarshal([]byte(b.String()), &read); err != nil || problem != nil || missing != 1 || read.Missing != 1 || len(read.Findings) != 2 || read.Findings[1].Remedy != "install it" {
		t.Errorf("%d, %v, %v, %+v", missing, err, problem, read)
	}
}
