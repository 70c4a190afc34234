package suites

import (
	"slices"
	"strings"
	"testing"
)

// ids returns the claims of a focus.
func ids(t *testing.T, focus string) (all []string) {
	t.Helper()
	claims, err := ClaimsFor(focus)
	if err != nil {
		t.Fatalf("%s: %v", focus, err)
	}
	for _, c := range claims {
		all = append(all, c.ID)
	}
	return all
}

// TestAFocusHasPatternsAndLeavesOut fails if a pattern selects claims of another name, if what is
// left out is judged, or if a suite of which something was left out is held to its floor.
func TestAFocusHasPatternsAndLeavesOut(t *testing.T) {
	every := ids(t, "")
	for _, id := range ids(t, "ms-*") {
		if !strings.HasPrefix(id, "MS-") || id == "MS-000" {
			t.Errorf("ms-* selects %s", id)
		}
	}
	if got := ids(t, "MS-00[12]"); !slices.Equal(got, []string{"MS-001", "MS-002"}) {
		t.Errorf("MS-00[12] selects %v", got)
	}
	left := ids(t, Without("", []string{"MS-003"}))
	if slices.Contains(left, "MS-003") || slices.Contains(left, "MS-000") || !slices.Contains(left, "MS-001") || len(left) != len(every)-2 {
		t.Errorf("without MS-003: %d of %d claims: %v", len(left), len(every), left)
	}
	if got := ids(t, Without("MS-001,MS-003", []string{"MS-003"})); !slices.Equal(got, []string{"MS-001"}) {
		t.Errorf("MS-001 and MS-003 without the second: %v", got)
	}
	if got := ids(t, Without("", []string{"clone", "mm*"})); slices.ContainsFunc(got, func(id string) bool { return strings.HasPrefix(id, "CL-0") && id == "CL-001" }) {
		t.Error("the suite clone was left out, and CL-001 is there")
	}
	for focus, want := range map[string]string{"ZZ-*": "neither a suite nor a claim", "!nothing": `"nothing"`, "MS-001,!MS-*": "leaves out every claim"} {
		if _, err := ClaimsFor(focus); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", focus, err, want)
		}
	}
}
