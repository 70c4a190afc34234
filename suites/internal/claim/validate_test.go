package claim

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
)

func TestValidateFindsEveryIncompleteClaim(t *testing.T) {
	if err := Validate([]Suite{{Name: "x", Claims: []Claim{sample()}}}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		spoil func(*Claim)
		want  string
	}{
		"short ID":           {func(c *Claim) { c.ID = "XX-1" }, "ID"},
		"unknown level":      {func(c *Claim) { c.Level = "SHALL" }, "SHALL"},
		"no English":         {func(c *Claim) { c.English = "" }, "English"},
		"two lines":          {func(c *Claim) { c.English = "a\nb" }, "one line"},
		"Chinese in English": {func(c *Claim) { c.Chinese = "It is." }, "Chinese"},
		"no source":          {func(c *Claim) { c.Source = " " }, "Source"},
		"no probe":           {func(c *Claim) { c.Probe = "" }, "Probe"},
		"no check":           {func(c *Claim) { c.Check = nil }, "Check"},
	} {
		c := sample()
		tc.spoil(&c)
		if err := Validate([]Suite{{Name: "x", Claims: []Claim{c}}}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, suites := range map[string][]Suite{
		"ID used twice":        {{Name: "x", Claims: []Claim{sample()}}, {Name: "y", Claims: []Claim{sample()}}},
		"suite without claims": {{Name: "x"}},
		"suite without a name": {{Claims: []Claim{sample()}}},
	} {
		if Validate(suites) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestClaimThatNoCellReachesIsListed(t *testing.T) {
	c := sample()
	c.Unsupported = func(cell matrix.Cell, _ abi.Table) string {
		if cell.Arch == "amd64" {
			return ""
		}
		return "amd64 only"
	}
	suites := []Suite{{Name: "x", Claims: []Claim{c}}}
	if got := Unreachable(suites, []matrix.Cell{{Arch: "arm64"}}); len(got) != 1 || got[0] != c.ID {
		t.Errorf("unreachable %v", got)
	}
	if got := Unreachable(suites, []matrix.Cell{{Arch: "arm64"}, {Arch: "amd64"}}); len(got) != 0 {
		t.Errorf("reachable, but listed: %v", got)
	}
}
