package summary

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/report"
)

// TestAgainIsACommandThatIsThere fails if a reader is told to run a command that
// does not exist where the report was made.
func TestAgainIsACommandThatIsThere(t *testing.T) {
	cells := []report.CellReport{
		{Name: "amd64-x"},
		{Name: "native-amd64", Target: "native"},
		{Name: "user-sw64", Target: "user", Arch: "sw64"},
		{Name: "given-uos-arm64", Kernel: report.Kernel{Provenance: report.Provenance{Kind: "file", Filename: "uos.qcow2"}}},
	}
	standalone := report.Report{Cells: cells, Header: report.Header{Tool: report.Tool{Standalone: true}}}
	for _, c := range []struct {
		cell, make, standalone string
	}{
		{"amd64-x", "make conformance CELL=amd64-x FOCUS=MS-003", "mapstack run --cell amd64-x --focus MS-003"},
		{"native-amd64", "make conformance TARGET=native FOCUS=MS-003", "mapstack run --target native --focus MS-003"},
		{"user-sw64", "make conformance TARGET=user ARCH=sw64 FOCUS=MS-003", "mapstack run --target user --arch sw64 --focus MS-003"},
		{"given-uos-arm64", "bin/mapstack run --kernel uos.qcow2 --focus MS-003", "mapstack run --kernel uos.qcow2 --focus MS-003"},
	} {
		more := []option{{name: "FOCUS", value: "MS-003"}}
		if got := repeat(report.Report{Cells: cells}, c.cell, more); got != c.make {
			t.Errorf("%s: %q, want %q", c.cell, got, c.make)
		}
		if got := repeat(standalone, c.cell, more); got != c.standalone {
			t.Errorf("%s without a checkout: %q, want %q", c.cell, got, c.standalone)
		}
	}
}

// TestACommandToPasteRunsNothingElse: names in evidence are chosen by whoever made it.
func TestACommandToPasteRunsNothingElse(t *testing.T) {
	const hostile = "malta;touch X #`id`$(id)\x1b[8m"
	for _, c := range []report.CellReport{
		{Name: hostile},
		{Name: "a", Kernel: report.Kernel{Provenance: report.Provenance{Kind: "file", Filename: hostile}}},
		{Name: "a", Target: "full-boot", Kernel: report.Kernel{Provenance: report.Provenance{Kind: "file", Filename: hostile}}},
		{Name: "a", Target: "user", Arch: hostile},
		{Name: "a", Target: hostile},
	} {
		got := repeat(report.Report{Cells: []report.CellReport{c}}, c.Name, []option{{name: "DEFECT", value: hostile}})
		if strings.Count(got, "malta;") != strings.Count(got, "'malta;") || strings.Contains(got, "\x1b") {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := (option{value: "$(shell touch X)"}).word(false); got != "'$$(shell touch X)'" {
		t.Errorf("make would run %s", got)
	}
}
