package mapstack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
)

// TestProbeSaysWhatTheClaimsAsk fails if the probe and the claims no longer
// speak of the same steps and values. It judges this host's kernel, which may be
// any, so only an error is a defect of ours.
func TestProbeSaysWhatTheClaimsAsk(t *testing.T) {
	f, err := facts.Parse(here(t, "facts"), nil)
	if err != nil {
		t.Fatal(err)
	}
	transcript := here(t, probe)
	for _, c := range Area().Claims {
		// Only root can start the child that these read.
		if os.Getuid() != 0 && slices.Contains([]string{"MS-003", "MS-004", "MS-017"}, c.ID) {
			continue
		}
		switch got := judge(c, transcript, f); got.Status {
		case verdict.Error:
			t.Errorf("%s: %s", c.ID, got.Reason)
		case verdict.Fail:
			t.Logf("this host's kernel fails %s: %s", c.ID, got.Reason)
		}
	}
}

// here builds a probe as guests are built, and runs it on this host.
func here(t *testing.T, name string) wire.Transcript {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile=poc/guest.mod", "-o", program, "./poc/"+name)
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	var stderr bytes.Buffer
	run := exec.CommandContext(t.Context(), program)
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("run %s: %v\n%s", name, err, &stderr)
	}
	transcript := wire.Transcript{Probe: name}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var o wire.Observation
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatalf("%s says %q: %v", name, lines.Text(), err)
		}
		transcript.Observations = append(transcript.Observations, o)
	}
	return transcript
}
