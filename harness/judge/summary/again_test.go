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
		more := []option{{name: "focus", value: "MS-003"}}
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
		got := repeat(report.Report{Cells: []report.CellReport{c}}, c.Name, []option{{name: "defect", value: hostile}})
		if strings.Count(got, "malta;") != strings.Count(got, "'malta;") || strings.Contains(got, "\x1b") {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := (option{value: "$(shell touch X)"}).word(false); got != "'$$(shell touch X)'" {
		t.Errorf("make would run %s", got)
	}
}

// TestAgainRepeatsTheFlagsThatWereGiven fails if a reader who repeats a claim runs it otherwise
// than it was run: without a kernel parameter, from a snapshot, or with known failures.
func TestAgainRepeatsTheFlagsThatWereGiven(t *testing.T) {
	cells := []report.CellReport{
		{Name: "amd64-x"},
		{Name: "given-uos-arm64", Kernel: report.Kernel{Provenance: report.Provenance{Kind: "file", Filename: "uos.qcow2"}}},
		{Name: "full", Target: "full-boot", Kernel: report.Kernel{Provenance: report.Provenance{Filename: "uos.qcow2"}}},
	}
	for _, c := range []struct {
		cell, want string
		flags      []report.Flag
	}{
		{"amd64-x", "make conformance CELL=amd64-x FOCUS=MS-003 FRESH=1 OFFLINE=1", []report.Flag{{Name: "fresh"}, {Name: "offline"}}},
		{"amd64-x", "bin/mapstack run --cell amd64-x --focus MS-003 --fresh --kernel-arg nosmt --kernel-arg 'a=$b'", []report.Flag{{Name: "fresh"}, {Name: "kernel-arg", Value: "nosmt"}, {Name: "kernel-arg", Value: "a=$b"}}},
		{"amd64-x", "bin/mapstack run --cell amd64-x --focus MS-003 --guest-agent ... --supply SW64_KERNEL=...", []report.Flag{{Name: "guest-agent", Hidden: true}, {Name: "supply", Value: "SW64_KERNEL=", Hidden: true}}},
		{"amd64-x", "make conformance CELL=amd64-x FOCUS=MS-003 GUEST_AGENT=...", []report.Flag{{Name: "guest-agent", Hidden: true}}},
		{"given-uos-arm64", "make conformance OS_IMAGE=uos.qcow2 FOCUS=MS-003 OS=uos", []report.Flag{{Name: "os", Value: "uos"}, {Name: "os-image", Hidden: true}}},
		{"given-uos-arm64", "bin/mapstack run --kernel uos.qcow2 --focus MS-003 --keyring ...", []report.Flag{{Name: "kernel", Hidden: true}, {Name: "keyring", Hidden: true}}},
		{"full", "bin/mapstack run --os-image uos.qcow2 --full-boot --login ... --focus MS-003", []report.Flag{{Name: "full-boot"}, {Name: "login", Value: "tester"}, {Name: "os-image", Hidden: true}}},
		{"amd64-x", "make conformance CELL=amd64-x FOCUS=MS-003", []report.Flag{{Name: "x;touch X", Value: "a"}}},
	} {
		r := report.Report{Cells: cells, Header: report.Header{Flags: c.flags}}
		if got := repeat(r, c.cell, []option{{name: "focus", value: "MS-003"}}); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestAPartIsNamedInWords fails if a reader must know the form of a focus to know what was left
// out.
func TestAPartIsNamedInWords(t *testing.T) {
	for focus, want := range map[string]string{"MS-001,clone": "Only MS-001,clone", "!clone,!MS-*": "Everything but clone,MS-*", "clone,!CL-003": "Only clone without CL-003"} {
		if got := Part("en", focus, func(s string) string { return s }); got != want {
			t.Errorf("%s: %q, want %q", focus, got, want)
		}
	}
}
