package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// TestDefectsThatCannotShowAreRefusedBeforeAnythingBoots fails if a run with an
// injected defect could be green because nothing was injected.
func TestDefectsThatCannotShowAreRefusedBeforeAnythingBoots(t *testing.T) {
	for _, c := range []struct{ cell, defect, want string }{
		{"amd64-debian12-6.1", "nonsense", "stack-eperm"},
		{"mips64le-debian12-6.1-malta", "sync-accepted", "MAP_SYNC"},
		{"riscv64-debian13-6.12", "hint-ignored", "first argument"},
	} {
		_, err := execute(t, "run", "--cell", c.cell, "--defect", c.defect)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s on %s: %v, want %q", c.defect, c.cell, err, c.want)
		}
		if code := exitCode(err); code != verdict.ExitInfrastructure {
			t.Errorf("%s on %s: exit status %d", c.defect, c.cell, code)
		}
	}
}

// TestTheVerdictOnEvidenceWithADefectNamesIt fails if evidence that was made with
// a defect is shown as a kernel's when it is judged again.
func TestTheVerdictOnEvidenceWithADefectNamesIt(t *testing.T) {
	folder, err := evidence.Create(t.TempDir(), time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	cell := matrix.Cell{Name: "c", Arch: "amd64"}
	asked := evidence.Run{Cells: []matrix.Cell{cell}, Focus: "MS-001", Defect: "stack-eperm"}
	if err := folder.WriteRun(asked); err != nil {
		t.Fatal(err)
	}
	observed := evidence.CellRun{Cell: cell, Transcripts: map[string]wire.Transcript{"mapstack": {Probe: "mapstack", Defect: "stack-eperm"}}}
	if err := folder.WriteCell(observed); err != nil {
		t.Fatal(err)
	}
	shown, err := execute(t, "verdict", folder.Path())
	if err == nil || !strings.HasPrefix(shown, "DEFECT INJECTED: stack-eperm\n") {
		t.Errorf("%v\n%s", err, shown)
	}
	r, err := judge(asked, []evidence.CellRun{observed})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeReports(folder.Path(), folder.Path(), r, nil, false); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(folder.Path(), "*.xml")); len(files) > 0 {
		t.Errorf("a defect has a JUnit report: %v", files)
	}
	var text bytes.Buffer
	if err := r.WriteJSON(&text); err != nil || !strings.Contains(text.String(), `"name": "stack-eperm"`) {
		t.Errorf("%v\n%s", err, text.String())
	}
}
