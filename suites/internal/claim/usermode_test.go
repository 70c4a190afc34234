package claim

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
)

// TestAnEmulatorDecidesOnlyWhatItIsSaidTo fails if a new claim is decided by an
// emulator by default, or if a reason is lost.
func TestAnEmulatorDecidesOnlyWhatItIsSaidTo(t *testing.T) {
	table, _ := abi.Lookup("amd64")
	for mode, want := range map[UserMode]string{"": below, Emulated: "", HostFiles: string(HostFiles)} {
		c := Claim{UserMode: mode}
		if got := c.Inapplicable(matrix.Cell{Host: matrix.UserMode}, table); got != want {
			t.Errorf("%q below an emulator: %q, want %q", mode, got, want)
		}
		if got := c.Inapplicable(matrix.Cell{}, table); got != "" {
			t.Errorf("%q in a guest: %q", mode, got)
		}
	}
}

// TestAMissingFeatureIsToldFirst fails if the reason of an architecture that
// lacks a feature depends on the cell.
func TestAMissingFeatureIsToldFirst(t *testing.T) {
	table, _ := abi.Lookup("alpha")
	c := Claim{Needs: []abi.Feature{abi.GoPort, abi.VDSO}, Unsupported: Where(func(abi.Table) string { return "another reason" })}
	for _, host := range []matrix.Host{"", matrix.UserMode} {
		if got := c.Inapplicable(matrix.Cell{Host: host}, table); got != table.Lacks(abi.GoPort) {
			t.Errorf("host %q: %q", host, got)
		}
	}
	c.Needs = nil
	if got := c.Inapplicable(matrix.Cell{}, table); got != "another reason" {
		t.Errorf("without needs: %q", got)
	}
}

// TestASuiteGivesItsProbeToClaimsThatNameNone fails if a claim that names a probe
// of its own reads the suite's.
func TestASuiteGivesItsProbeToClaimsThatNameNone(t *testing.T) {
	a := Suite{Probe: "p"}.Join([]Claim{{ID: "XX-001"}, {ID: "XX-002", Probe: "q"}}, []Claim{{ID: "XX-003"}})
	var got []string
	for _, c := range a.Claims {
		got = append(got, c.ID+" "+c.Probe)
	}
	if want := "XX-001 p, XX-002 q, XX-003 p"; strings.Join(got, ", ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}
