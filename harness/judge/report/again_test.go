package report

import "testing"

// TestAgainIsACommandThatIsThere fails if a reader is told to run what is not
// where the report was made.
func TestAgainIsACommandThatIsThere(t *testing.T) {
	cells := []CellReport{
		{Name: "amd64-x"},
		{Name: "native-amd64", Target: "native"},
		{Name: "user-sw64", Target: "user", Arch: "sw64"},
		{Name: "given-uos-arm64", Kernel: Kernel{Provenance: Provenance{Kind: "file", Filename: "uos.qcow2"}}},
	}
	for _, c := range []struct {
		cell, make, alone string
	}{
		{"amd64-x", "make conformance CELL=amd64-x FOCUS=MS-003", "mapstack run --cell amd64-x --focus MS-003"},
		{"native-amd64", "make conformance TARGET=native FOCUS=MS-003", "mapstack run --target native --focus MS-003"},
		{"user-sw64", "make conformance TARGET=user ARCH=sw64 FOCUS=MS-003", "mapstack run --target user --arch sw64 --focus MS-003"},
		{"given-uos-arm64", "bin/mapstack run --kernel uos.qcow2 --focus MS-003", "mapstack run --kernel uos.qcow2 --focus MS-003"},
	} {
		more := []option{{"FOCUS", "MS-003"}}
		if got := (Report{Cells: cells}).repeat(c.cell, more); got != c.make {
			t.Errorf("%s: %q, want %q", c.cell, got, c.make)
		}
		if got := (Report{Cells: cells, Header: Header{Tool: Tool{Alone: true}}}).repeat(c.cell, more); got != c.alone {
			t.Errorf("%s alone: %q, want %q", c.cell, got, c.alone)
		}
	}
}
