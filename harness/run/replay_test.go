package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
)

// TestTheConsoleLogsHoldEveryTranscript fails if a console log cannot vouch for the transcript
// beside it, or if a transcript can be changed without its log.
func TestTheConsoleLogsHoldEveryTranscript(t *testing.T) {
	probes := []string{"sigstack", "sysconf", "tracing"} // they share a guest
	for _, script := range []string{"behaves", "floods", "loses frames", "leaves something", "dies under a second probe", "cannot be saved", stumbling(t, retries)} {
		e, _ := scripted(t, script)
		folder, err := evidence.Create(t.TempDir(), testTime)
		if err != nil {
			t.Fatal(err)
		}
		subjects := bound(e, cell("c", "amd64", 64))
		if _, err := e.Cells(t.Context(), subjects, map[string][]string{"c": probes}, folder); err != nil {
			t.Fatal(err)
		}
		if err := folder.WriteRun(evidence.Run{Cells: []matrix.Cell{subjects[0].Cell}}); err != nil {
			t.Fatal(err)
		}
		r, err := replayed(t, folder)
		if err != nil || r.Compared != len(probes) || len(r.Unseen) > 0 {
			t.Errorf("%s: %+v, %v", script, r, err)
		}
		file := filepath.Join(folder.Path(), "cells", "c", "transcripts", "sysconf.json")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(b), `"step": "7"`, `"step": "seven"`, 1)
		if changed == string(b) {
			t.Fatalf("%s: nothing was changed in\n%.300s", script, b)
		}
		if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := replayed(t, folder); err == nil || !strings.Contains(err.Error(), "probe sysconf on cell c is not what its console log") {
			t.Errorf("%s, with a changed transcript: %v", script, err)
		}
	}
}

func replayed(t *testing.T, folder evidence.Folder) (evidence.Replayed, error) {
	t.Helper()
	_, cells, err := evidence.Load(folder.Path())
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Replay(os.DirFS(folder.Path()), cells)
}
