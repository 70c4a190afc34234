package history

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/matrix/release"
)

// TestStackNoHugepageFollowsTheStableTrees fails if a stable series is taken for
// mainline: 6.6.y never had the commit, and 6.7.y got it in the middle.
func TestStackNoHugepageFollowsTheStableTrees(t *testing.T) {
	for _, tt := range []struct {
		release       string
		with, without bool // CONFIG_TRANSPARENT_HUGEPAGE
	}{
		{"4.19.90-23.8.v2101.ky10.x86_64", false, false},
		{"5.10.0-30-amd64", false, false},
		{"6.1.0-50-amd64", false, false},
		{"6.6.130", false, false},
		{"6.7.5", false, false},
		{"6.7.6", true, true},
		{"6.8.0-31-generic", true, true},
		{"6.12.30", true, true},
		{"6.12.31", true, false},
		{"6.12.107+deb13-amd64", true, false},
		{"6.14.11", true, true},
		{"6.15.0", true, false},
		{"7.2.12+deb14-loong64", true, false},
	} {
		r, err := release.Parse(tt.release)
		if err != nil {
			t.Fatal(err)
		}
		if got := StackNoHugepage(facts.Facts{Release: r, THP: true}); got != tt.with {
			t.Errorf("%s with THP: %t", tt.release, got)
		}
		if got := StackNoHugepage(facts.Facts{Release: r}); got != tt.without {
			t.Errorf("%s without THP: %t", tt.release, got)
		}
	}
}

func TestChangesBeginWithTheirRelease(t *testing.T) {
	for _, tt := range []struct {
		what   string
		known  func(facts.Facts) bool
		arch   string
		before release.Release
		since  release.Release
	}{
		{"MADV_GUARD_INSTALL", GuardRegions, "arm64", release.Release{Major: 6, Minor: 12, Patch: 107}, release.Release{Major: 6, Minor: 13}},
		{"PR_SET_MDWE", DenyWriteExecute, "arm64", release.Release{Major: 6, Minor: 2, Patch: 16}, release.Release{Major: 6, Minor: 3}},
		{"the window of riscv", RISCVWindow, "riscv64", release.Release{Major: 6, Minor: 5, Patch: 13}, release.Release{Major: 6, Minor: 6}},
		{"MAP_DROPPABLE", Droppable, "amd64", release.Release{Major: 6, Minor: 10, Patch: 14}, release.Release{Major: 6, Minor: 11}},
		{"CLONE_PIDFD of a thread", PidfdOfThread, "amd64", release.Release{Major: 6, Minor: 8, Patch: 12}, release.Release{Major: 6, Minor: 9}},
		{"checked exit signal", ExitSignalChecked, "amd64", release.Release{Major: 7, Minor: 0, Patch: 13}, release.Release{Major: 7, Minor: 1}},
		{"CLONE_AUTOREAP", AutoReap, "amd64", release.Release{Major: 7, Minor: 0, Patch: 13}, release.Release{Major: 7, Minor: 1}},
		{"RLIMIT_NPROC per user namespace", ProcessesPerUserNamespace, "amd64", release.Release{Major: 5, Minor: 13, Patch: 19}, release.Release{Major: 5, Minor: 14}},
		{"pid_max per namespace", PIDMaxPerNamespace, "amd64", release.Release{Major: 6, Minor: 13, Patch: 12}, release.Release{Major: 6, Minor: 14}},
		{"pids.events of the own limit", EventsOfOwnLimit, "amd64", release.Release{Major: 6, Minor: 10, Patch: 14}, release.Release{Major: 6, Minor: 11}},
	} {
		if tt.known(facts.Facts{Arch: tt.arch, Release: tt.before}) {
			t.Errorf("%s is expected of %s", tt.what, tt.before)
		}
		if !tt.known(facts.Facts{Arch: tt.arch, Release: tt.since}) {
			t.Errorf("%s is not expected of %s", tt.what, tt.since)
		}
	}
}

// TestTheOldestKernelsHaveNoLaterChange fails if something is expected of the kernels of
// Kylin V10, UOS 20 and openEuler 20.03 that came years later. A real 4.19.90 has none of it.
func TestTheOldestKernelsHaveNoLaterChange(t *testing.T) {
	for _, text := range []string{"4.19.0-amd64-desktop", "4.19.90-23.8.v2101.ky10.x86_64", "4.19.90-2112.8.0.0131.oe1.aarch64", "5.4.18-53-generic", "5.4.286"} {
		r, err := release.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		f := facts.Facts{Arch: "amd64", Release: r, THP: true}
		for name, known := range map[string]func(facts.Facts) bool{
			"StackNoHugepage": StackNoHugepage, "GuardRegions": GuardRegions, "DenyWriteExecute": DenyWriteExecute, "Droppable": Droppable,
			"ExitSignalChecked": ExitSignalChecked, "AutoReap": AutoReap,
			"ProcessesPerUserNamespace": ProcessesPerUserNamespace, "PIDMaxPerNamespace": PIDMaxPerNamespace, "EventsOfOwnLimit": EventsOfOwnLimit,
			"AlignsHugePages": AlignsHugePages, "AlignsLongMappings": AlignsLongMappings, "RISCVWindow": RISCVWindow,
		} {
			if known(f) {
				t.Errorf("%s is expected of %s", name, text)
			}
		}
		if ignored := !r.AtLeast(5, 2, 0); PidfdOfThread(f) != ignored {
			t.Errorf("%s accepts CLONE_PIDFD of a thread: %t", text, !ignored)
		}
	}
}

// TestAlignmentOfLongMappingsCameAndWent fails if 6.7 to 6.11 are expected to align
// as the kernels before or after them.
func TestAlignmentOfLongMappingsCameAndWent(t *testing.T) {
	for _, tt := range []struct {
		minor       int
		exact, long bool
	}{
		{1, false, false}, {6, false, false}, {7, true, true}, {11, true, true}, {12, true, false},
	} {
		f := facts.Facts{THP: true, Release: release.Release{Major: 6, Minor: tt.minor}}
		if AlignsHugePages(f) != tt.exact || AlignsLongMappings(f) != tt.long {
			t.Errorf("6.%d: %t, %t", tt.minor, AlignsHugePages(f), AlignsLongMappings(f))
		}
		f.THP = false
		if AlignsHugePages(f) || AlignsLongMappings(f) {
			t.Errorf("6.%d without transparent huge pages aligns to them", tt.minor)
		}
	}
}
