package boot

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
)

func TestEnvironmentChoosesTheSource(t *testing.T) {
	env := map[string]string{
		"MAPSTACK_EVIDENCE": "e", "MAPSTACK_ARCH": "a", "MAPSTACK_CELL": "c", "MAPSTACK_KERNEL": "k", "MAPSTACK_OUT": "o", "LOCKED": "1", "STRICT": "1",
	}
	want := Source{Evidence: "e", Select: matrix.Selection{Arch: "a", Cell: "c", Kernel: "k"}, Locked: true, Strict: true, Out: "o"}
	if got := Env(func(key string) string { return env[key] }); got != want {
		t.Errorf("%+v", got)
	}
	if got := Env(func(string) string { return "" }); got != (Source{}) {
		t.Errorf("an empty environment asks for %+v", got)
	}
}

// TestWrongSourcesAreErrorsBeforeAnythingBoots fails if a misspelt name runs
// the whole matrix, or nothing at all.
func TestWrongSourcesAreErrorsBeforeAnythingBoots(t *testing.T) {
	for name, tc := range map[string]struct {
		source Source
		want   string
	}{
		"no such run":  {Source{Evidence: t.TempDir()}, "MAPSTACK_EVIDENCE"},
		"no such cell": {Source{Select: matrix.Selection{Cell: "nonsense"}}, "amd64-debian12-6.1"},
		"no such arch": {Source{Select: matrix.Selection{Arch: "nonsense"}}, "loong64"},
	} {
		_, cells, err := Obtain(t.Context(), tc.source, ".", "clone", nil, progress.Discard, nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %d cells, %v", name, len(cells), err)
		}
	}
}
