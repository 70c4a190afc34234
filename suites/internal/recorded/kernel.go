package recorded

import (
	"encoding/json"
	"io/fs"
	"path"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/poc/wire"
)

// Kernel returns the facts of a recorded cell, and its transcript of a probe.
func Kernel(t testing.TB, cell, probe string) (facts.Facts, wire.Transcript) {
	t.Helper()
	sysconf := transcript(t, cell, "sysconf")
	f, err := facts.Parse(transcript(t, cell, "facts"), &sysconf)
	if err != nil {
		t.Fatalf("the recorded facts of %s: %v", cell, err)
	}
	return f, transcript(t, cell, probe)
}

func transcript(t testing.TB, cell, probe string) (tr wire.Transcript) {
	t.Helper()
	file := path.Join("cells", cell, "transcripts", probe+".json")
	data, err := fs.ReadFile(fixtures.Recorded(), file)
	if err == nil {
		err = json.Unmarshal(data, &tr)
	}
	if err != nil {
		t.Fatalf("%v; make record records it", err)
	}
	return tr
}
