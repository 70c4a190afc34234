package assemble

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

func TestAReportTellsHowGuestsWereStarted(t *testing.T) {
	for want, guests := range map[string][]string{
		"":                     nil,
		"restored":             {evidence.Restored, evidence.Restored},
		"booted":               {evidence.Booted, ""},
		"2 restored, 1 booted": {evidence.Restored, evidence.Booted, evidence.Restored},
		"started":              {evidence.Started},
	} {
		runs := map[string]evidence.ProbeRun{}
		for i, g := range guests {
			runs[string(rune('a'+i))] = evidence.ProbeRun{Guest: g}
		}
		if got := starts(runs); got != want {
			t.Errorf("%q: %q, want %q", guests, got, want)
		}
	}
}

// TestOnlyARefusedSettingIsLeft fails if a report says that a kernel refused what it
// accepted, or replaces an earlier reason.
func TestOnlyARefusedSettingIsLeft(t *testing.T) {
	policy := []report.PolicyLine{{Name: "sysctl vm.a"}, {Name: "vm.ab"}, {Name: "vm.c", Left: "not for guests"}, {Name: "service tasks"}}
	refused(policy, []string{"set sysctl vm.a: invalid argument", "set sysctl vm.c: no such file", "mount /x: no device"})
	want := []report.PolicyLine{{Name: "sysctl vm.a", Left: "the kernel refuses it: invalid argument"}, {Name: "vm.ab"},
		{Name: "vm.c", Left: "not for guests"}, {Name: "service tasks"}}
	if d := cmp.Diff(want, policy); d != "" {
		t.Error(d)
	}
}

// TestAGivenKernelHasThePageSizeThatItSays fails if a report says that a kernel has pages of no
// bytes, because nobody could say before the run how large they are.
func TestAGivenKernelHasThePageSizeThatItSays(t *testing.T) {
	for folder, want := range map[string]int{"4.19.90": 4096, "4.19.90-arm64-64k": 65536} {
		_, cells, err := evidence.Load("../../../fixtures/lab/" + folder)
		if err != nil {
			t.Fatal(err)
		}
		if got := cell(cells[0]); cells[0].Cell.PageSize != 0 || got.PageSize != want {
			t.Errorf("%s: %d, want %d", folder, got.PageSize, want)
		}
	}
	silent := evidence.CellRun{Cell: matrix.Cell{Name: "a"}}
	if got := cell(silent); got.PageSize != 0 {
		t.Errorf("a kernel that said nothing has pages of %d bytes", got.PageSize)
	}
}

// TestTheFailureOfACellIsItsOwnFirst fails if the report of a cell depends on the
// order of a map, or hides why no probe ran.
func TestTheFailureOfACellIsItsOwnFirst(t *testing.T) {
	own, first, second := &failure.Failure{Message: "own"}, &failure.Failure{Message: "first"}, &failure.Failure{Message: "second"}
	runs := map[string]evidence.ProbeRun{"a": {}, "b": {Failure: first}, "c": {Failure: second}}
	for want, c := range map[*failure.Failure]evidence.CellRun{
		own: {Failure: own, Runs: runs}, first: {Runs: runs}, nil: {Runs: map[string]evidence.ProbeRun{"a": {}}},
	} {
		if got := firstFailure(c); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// TestASystemThatRanAlreadyHasItsOwnAccelerator fails if a report names QEMU's
// accelerator where no machine was emulated, or none where one was.
func TestASystemThatRanAlreadyHasItsOwnAccelerator(t *testing.T) {
	for host, want := range map[matrix.Host]string{"": "kvm", matrix.FullBoot: "kvm", matrix.Native: "native", matrix.SSH: "ssh", matrix.UserMode: "user-mode"} {
		c := evidence.CellRun{Cell: matrix.Cell{Host: host}, QEMU: &evidence.QEMU{Accelerator: "kvm"}}
		if got := cell(c).Accelerator; got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

// TestSettingsOfACellAreShown fails if what fixtures set for a cell is in no report,
// or if it is there beside the settings of a supplied system.
func TestSettingsOfACellAreShown(t *testing.T) {
	set := matrix.Cell{Policy: []matrix.Setting{{Of: matrix.OfSysctl, Name: "vm.a", Value: "1", Source: "fixtures"}}}
	own := []evidence.PolicyLine{{Name: "vm.a", Value: "2", Source: "a.conf:1"}}
	hello := &evidence.Guest{Hello: wire.Hello{Notes: []string{"set sysctl vm.a: no"}}}
	for _, tc := range []struct {
		run  evidence.CellRun
		want []report.PolicyLine
	}{
		{evidence.CellRun{Cell: set}, []report.PolicyLine{{Name: "sysctl vm.a", Value: "1", Source: "fixtures"}}},
		{evidence.CellRun{Cell: set, Guest: hello}, []report.PolicyLine{{Name: "sysctl vm.a", Value: "1", Source: "fixtures", Left: "the kernel refuses it: no"}}},
		{evidence.CellRun{Cell: set, Kernel: &evidence.Kernel{Provenance: evidence.Provenance{Policy: own}}}, []report.PolicyLine{{Name: "vm.a", Value: "2", Source: "a.conf:1"}}},
		{evidence.CellRun{}, nil},
	} {
		if d := cmp.Diff(tc.want, cell(tc.run).Kernel.Provenance.Policy); d != "" {
			t.Error(d)
		}
	}
}

// TestTheMachineOfARunningSystemIsNamed fails if a report hides the machine that a vendor's system
// ran on, or names a machine of QEMU's as one.
func TestTheMachineOfARunningSystemIsNamed(t *testing.T) {
	said := wire.Transcript{Observations: []wire.Observation{{Step: "hardware", Values: map[string]string{"dmi.sys_vendor": "V", "dmi.board_name": "B"}}}}
	for host, want := range map[matrix.Host]*report.Hardware{matrix.Native: {Vendor: "V", Board: "B"}, matrix.SSH: {Vendor: "V", Board: "B"}, "": nil} {
		got := cell(evidence.CellRun{Cell: matrix.Cell{Host: host}, Transcripts: map[string]wire.Transcript{"facts": said}})
		if d := cmp.Diff(want, got.Hardware); d != "" {
			t.Errorf("%q: %s", host, d)
		}
	}
	if got := cell(evidence.CellRun{Cell: matrix.Cell{Host: matrix.Native}}); got.Hardware == nil || got.Hardware.Unknown == "" {
		t.Errorf("a machine that was not asked: %+v", got.Hardware)
	}
}
