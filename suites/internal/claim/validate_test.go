package claim

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
)

// suiteOf returns a complete suite with the given claims.
func suiteOf(name string, claims ...Claim) Suite {
	return Suite{Name: name, Prefix: strings.ToUpper(name + name), About: Text{English: "About it.", Chinese: "关于它。"}, Claims: claims}
}

func TestValidateFindsEveryIncompleteClaim(t *testing.T) {
	if err := Validate([]Suite{suiteOf("x", sample())}); err != nil {
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
		"nameless feature":   {func(c *Claim) { c.Needs = []abi.Feature{""} }, "Needs"},
		"feature twice":      {func(c *Claim) { c.Needs = []abi.Feature{abi.VDSO, abi.VDSO} }, "twice"},
		"unknown reason":     {func(c *Claim) { c.UserMode = "because" }, "UserMode"},
		"blank excuse":       {func(c *Claim) { c.Uninjectable = " " }, "Uninjectable is empty"},
		"excuse of two":      {func(c *Claim) { c.Uninjectable = "a\nb" }, "Uninjectable is not one line"},
		"excused SHOULD":     {func(c *Claim) { c.Level, c.Uninjectable = verdict.Should, "a reason" }, "is for a MUST"},
	} {
		c := sample()
		tc.spoil(&c)
		if err := Validate([]Suite{suiteOf("x", c)}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, suites := range map[string][]Suite{
		"the ID is used twice":    {suiteOf("x", sample()), suiteOf("y", sample())},
		"has no claims":           {suiteOf("x")},
		"a name must be set":      {{Prefix: "XX", About: Text{English: "a", Chinese: "是"}, Claims: []Claim{sample()}}},
		"is not two capital":      {{Name: "x", Prefix: "X", About: Text{English: "a", Chinese: "是"}, Claims: []Claim{sample()}}},
		"another suite":           {suiteOf("x", sample()), {Name: "y", Prefix: "XX"}},
		"About.English is empty":  {{Name: "x", Prefix: "XX", About: Text{Chinese: "是"}, Claims: []Claim{sample()}}},
		"About.Chinese holds no ": {{Name: "x", Prefix: "XX", About: Text{English: "a", Chinese: "b"}, Claims: []Claim{sample()}}},
	} {
		if err := Validate(suites); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
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
