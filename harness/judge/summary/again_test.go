package summary

import (
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
		more := []option{{"FOCUS", "MS-003"}}
		if got := repeat(report.Report{Cells: cells}, c.cell, more); got != c.make {
			t.Errorf("%s: %q, want %q", c.cell, got, c.make)
		}
		if got := repeat(standalone, c.cell, more); got != c.standalone {
			t.Errorf("%s without a checkout: %q, want %q", c.cell, got, c.standalone)
		}
	}
}
