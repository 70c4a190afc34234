package recorded

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/poc/wire"
)

// Kernel returns what the kernel of a cell said of itself, and its transcript
// of a probe. Both are kept in testdata/NAME.json, by probe.
func Kernel(t testing.TB, name, probe string) (facts.Facts, wire.Transcript) {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var by map[string]wire.Transcript
	if err := json.Unmarshal(data, &by); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if by[probe].Probe != probe {
		t.Fatalf("%s has no transcript of probe %s", path, probe)
	}
	f, err := facts.Parse(by["facts"], nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f, by[probe]
}
