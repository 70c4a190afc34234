package address

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that most wrong answers are given on.
const usual = "amd64-debian13bpo-newest"

var (
	value   = recorded.Value
	success = recorded.Success
	einval  = recorded.Errno(22, "EINVAL")
	enomem  = recorded.Errno(12, "ENOMEM")
	eperm   = recorded.Errno(1, "EPERM")
	eacces  = recorded.Errno(13, "EACCES")
)

// asked makes a step return the address it asked for.
func asked(o *wire.Observation) { success(o.Values["asked"])(o) }

// wrong returns, by recorded cell, the answers that must turn a claim red. The
// other cells have what the usual one lacks: a space above the window, and
// windows that overflow.
func wrong() map[string][]recorded.Wrong {
	const elsewhere = "0x7f0000000000"
	return map[string][]recorded.Wrong{
		usual: {
			{"AD-002", "floor.one page", asked},
			{"AD-002", "floor.one page", einval},
			{"AD-002", "floor.one page", success("0x8000")}, // above the hint, below the sysctl
			{"AD-002", "floor.one page", value("store", "fault")},
			{"AD-002", "floor.raised, one page", asked},
			{"AD-002", "floor.less than a page", success("0x0")},
			{"AD-109", "floor.raised, one page", success(elsewhere)},
			{"AD-109", "floor.raised, a page below", success("0x1001000")},
			{"AD-109", "floor.raised, a page below", einval},
			{"AD-002", "floor.raised, a page below", asked},
			{"AD-002", "floor.raised, at", success(elsewhere)},
			{"AD-002", "floor.raised, a page above", success("0x1000000")},
			{"AD-003", "hint free", success(elsewhere)},
			{"AD-003", "hint free", enomem},
			{"AD-003", "hint free", value("last", "fault")},
			{"AD-003", "hint free below 2^31", success(elsewhere)},
			{"AD-003", "hint free just above a mapping", success(elsewhere)},
			{"AD-003", "hint free just below a mapping", success(elsewhere)},
			{"AD-004", "hint occupied", asked},
			{"AD-004", "hint occupied", recorded.Errno(17, "EEXIST")},
			{"AD-004", "hint occupied at its end", asked},
			{"AD-004", "hint occupied at its start", asked},
			{"AD-004", "neighbour afterwards", value("last", "0")},
			{"AD-004", "hint occupied", value("first", "fault")},
			{"AD-005", "run 2.second", success("0x7fffc0000000")},
			{"AD-005", "run 1.first", success("0x1000")},
			{"AD-006", "legacy.second", success("0x10000")},
			{"AD-007", "unlimited.run 1.second", success("0x7fffc0000000")},
			{"AD-008", "align.plain 0x200000", value("longer", "8")},
			{"AD-009", "align.plain 0x200000", value("exact", "7")},
			{"AD-010", "user.who", value("floor", "0")},
			{"AD-010", "user.fixed 0x0", success("0x0")},
			{"AD-011", "user.fixed 0x0", success("0x0")},
			{"AD-011", "user.fixed 0x8000", success("0x8000")},
			{"AD-011", "user.fixed 0x1000", einval},
			{"AD-011", "root.fixed 0x0", eperm},
			{"AD-011", "root.fixed 0x0", eacces}, // no active module has a floor of its own
			{"AD-011", "root.fixed 0x4000", success("0x10000")},
			{"AD-011", "root.fixed 0x1000", value("store", "fault")},
			{"AD-012", "space.reach", value("45 beyond", "ENOMEM")},
			{"AD-012", "space.reach", value("40 last", "elsewhere")},
			{"AD-012", "space.reach", value("47 last but one", "ENOMEM")},
			{"AD-012", "space.reach", value("63 last but one", "ok")},
			{"AD-012", "space.reach", value("47 beyond", "ok")},
			{"AD-012", "space.reach", value("bits", "48")},
			{"AD-012", "space.highest", value("store", "fault")},
			{"AD-012", "space.highest", success(elsewhere)},
			{"AD-013", "window.full", value("end", "0x800000001000")},
			{"AD-013", "window.full", value("free", "0x10000000000-0x20000000000")},
			{"AD-013", "window.full", value("highest", "0x400000000000")},
			{"AD-014", "space.beyond", recorded.Errno(14, "EFAULT")},
			{"AD-014", "space.beyond", success("0x800000000000")},
			{"AD-014", "space.reach", value("60 last", "EFAULT")},
			{"AD-108", "space.beyond", einval},
			{"AD-108", "space.beyond", success("0x800000000000")},
			{"AD-108", "space.reach", value("60 last", "EINVAL")},
			{"AD-101", "floor.less than a page", success("0x10000")},
			{"AD-101", "floor.less than a page", einval},
			{"AD-102", "compat.run 3.second", success("0x10000")},
			{"AD-103", "align.stack 0x200000", value("exact", "0")},
			{"AD-103", "align.stack 0x200000", value("longer", "8")},
			{"AD-104", "floor.raised, user a page below", success("0xfff000")},
			{"AD-104", "floor.raised, user a page below", einval},
			{"AD-104", "floor.raised, user at", eperm},
			{"AD-104", "floor.raised, root a page below", eperm},
			{"AD-105", "window.hint above 2^47", asked},
			{"AD-105", "window.hint above 2^60", enomem},
			{"AD-106", "fixed.run 2.places", value("stack", "0x7fffffffe000")},
			{"AD-106", "fixed.run 3.places", value("top", "0x7ffff7ffe000")},
			{"AD-106", "fixed.run 3.places", value("vdso", "0x7ffff7ffe000")},
			{"AD-107", "window.full", success("0x800000000000")},
			{"AD-107", "window.full", einval},
		},
		"arm64-debian13-6.12-16k": {
			{"AD-105", "window.hint above 2^48", success("0x7fff00000000")},
		},
		"ppc64le-debian14-newest-64k": {
			{"AD-105", "window.hint above 2^51", enomem},
		},
		"s390x-debian14-newest": {
			{"AD-107", "window.full", enomem},
		},
		"riscv64-debian14-newest": {
			{"AD-107", "window.full", success("0x10000000000")},
		},
		"loong64-debian14-newest": {
			{"AD-108", "space.beyond", enomem},
			{"AD-101", "floor.one page", success("0x8000")},
		},
		"mips64le-debian12-6.1-malta": {
			{"AD-009", "align.plain 0x200000", value("exact", "8")},
			{"AD-011", "user.fixed 0x1000", eperm},
			{"AD-007", "unlimited.run 2.second", success("0x10000")},
		},
	}
}

func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryClaimCanFail(t, Suite(), probe, wrong(), "AD-015")
}

// TestPlacesThatNeverChangeAreNoticed fails if a kernel that does not randomize
// passes: every ordinary run gets the places of one.
func TestPlacesThatNeverChangeAreNoticed(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	i := slices.IndexFunc(tr.Observations, func(o wire.Observation) bool { return o.Step == "run 1.places" })
	places := tr.Observations[i].Values
	for n := 1; n <= runs; n++ {
		tr = recorded.Change(t, tr, fmt.Sprintf("run %d.places", n), func(o *wire.Observation) { o.Values = places })
	}
	if o := recorded.Judge(Suite(), f, tr)["AD-015"]; o.Status != verdict.Fail {
		t.Errorf("%+v", o)
	}
}

// TestSpacesThatNoArchitectureHasAreNoticed fails if a kernel passes that hands out
// non-canonical addresses, or half of the addresses.
func TestSpacesThatNoArchitectureHasAreNoticed(t *testing.T) {
	for _, tt := range []struct {
		cell string
		bits int
		want verdict.Status
	}{
		{usual, 57, verdict.Fail},
		{usual, 46, verdict.Fail},
		{usual, 56, verdict.Pass}, // LA57
		{"arm64-debian13-6.12-16k", 48, verdict.Pass},
		{"arm64-debian13-6.12-16k", 46, verdict.Fail},
		{"riscv64-debian14-newest", 38, verdict.Pass}, // Sv39
		{"s390x-debian14-newest", 53, verdict.Fail},
	} {
		f, tr := recorded.Kernel(t, tt.cell, probe)
		f.VABits = tt.bits
		if o := recorded.One(t, Suite(), "AD-012", f, reaching(t, tr, tt.bits, f.PageSize)); o.Status != tt.want {
			t.Errorf("%d bits on %s: %+v", tt.bits, tt.cell, o)
		}
	}
}

// reaching returns the transcript of a kernel whose address space ends at 2^bits.
func reaching(t *testing.T, tr wire.Transcript, bits, pageSize int) wire.Transcript {
	tr = recorded.Change(t, tr, "space.reach", func(o *wire.Observation) {
		o.Values = map[string]string{"bits": strconv.Itoa(bits)}
		for n := 30; n <= 64; n++ {
			for _, where := range []string{"last but one", "last", "beyond"} {
				answer := "ok"
				if n > bits || n == bits && where == "beyond" {
					answer = "ENOMEM"
				}
				o.Values[fmt.Sprintf("%d %s", n, where)] = answer
			}
		}
	})
	return recorded.Change(t, tr, "space.highest", func(o *wire.Observation) {
		at := fmt.Sprintf("%#x", uint64(1)<<bits-2*uint64(pageSize))
		o.Values["asked"], o.Ret = at, at
	})
}

// TestPagesOfEverySizeHaveALayout fails if loong64 with pages of 4 or 64 KiB ends in
// errors of ours, as it did when 16 KiB alone were known.
func TestPagesOfEverySizeHaveALayout(t *testing.T) {
	f, tr := recorded.Kernel(t, "loong64-debian14-newest", probe)
	for _, size := range []int{4 << 10, 64 << 10} {
		f.PageSize = size
		tr := reaching(t, tr, f.VABits, size)
		tr = recorded.Change(t, tr, "align.huge page", func(o *wire.Observation) { o.Values, o.Unknown = nil, map[string]string{"size": "none"} })
		for id, o := range recorded.Judge(Suite(), f, tr) {
			if o.Status == verdict.Error && strings.Contains(o.Reason, "nothing is known") {
				t.Errorf("pages of %d bytes: %s: %s", size, id, o.Reason)
			}
		}
	}
}

func TestExpectationsFollowTheKernelVersion(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for _, tt := range []struct {
		release release.Release
		thp     bool
		want    []string
	}{
		{release.Release{Major: 6, Minor: 1}, true, []string{"AD-009", "AD-103"}},
		{release.Release{Major: 6, Minor: 8}, true, []string{"AD-008", "AD-103"}},
		{release.Release{Major: 6, Minor: 12}, true, nil},
		{release.Release{Major: 6, Minor: 12}, false, []string{"AD-009", "AD-103"}},
	} {
		f := f
		f.Release, f.THP = tt.release, tt.thp
		if got := recorded.Red(recorded.Judge(Suite(), f, tr)); !slices.Equal(got, tt.want) {
			t.Errorf("7.3 judged as %s, THP %t, fails %v, want %v", tt.release, tt.thp, got, tt.want)
		}
	}
}

// TestOldRISCVKernelsUseTheWholeSpace fails if a kernel before 6.6 is blamed for mappings
// above the window, or a later one is not.
func TestOldRISCVKernelsUseTheWholeSpace(t *testing.T) {
	f, tr := recorded.Kernel(t, "riscv64-debian14-newest", probe)
	tr = recorded.Answered(t, tr, recorded.Shows("window.full", "end", "0xfffffffff00000"),
		recorded.Shows("window.full", "free", ""), recorded.Shows("window.full", "highest", "0xfffffffff00000"), recorded.Fails("window.full", 12, "ENOMEM"))
	for minor, want := range map[int]verdict.Status{1: verdict.Pass, 6: verdict.Fail} {
		f.Release = release.Release{Major: 6, Minor: minor}
		for _, id := range []string{"AD-013", "AD-107"} {
			if o := recorded.One(t, Suite(), id, f, tr); o.Status != want {
				t.Errorf("6.%d: %+v", minor, o)
			}
		}
	}
}

// TestOtherConditionsAreNoVerdict fails if a kernel is blamed for how its machine
// is set up.
func TestOtherConditionsAreNoVerdict(t *testing.T) {
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"AD-002", "floor.raise", value("value", "65536")},
		{"AD-002", "floor.raised, at", value("free", "false")},
		{"AD-003", "hint free", value("free", "false")},
		{"AD-004", "hint occupied", value("asked", "0x2000000000")},
		{"AD-005", "run 2.conditions", value("stack limit", "unlimited")},
		{"AD-005", "run 2.conditions", value("legacy", "1")},
		{"AD-006", "legacy.conditions", value("legacy", "0")},
		{"AD-007", "unlimited.run 1.conditions", value("stack limit", "8388608")},
		{"AD-007", "unlimited.set", eperm},
		{"AD-009", "align.huge page", value("size", "16777216")},
		{"AD-009", "align", value("timedout", "true")},
		{"AD-011", "user.who", value("uid", "0")},
		{"AD-011", "user.fixed 0x0", value("free", "false")},
		{"AD-013", "window.full", value("free", "nonsense")},
		{"AD-015", "run 2.conditions", value("randomize", "0")},
		{"AD-102", "compat.run 1.conditions", value("personality", "0x0")},
		{"AD-104", "floor.become user", eperm},
		{"AD-106", "fixed.run 1.conditions", value("personality", "0x0")},
		{"AD-107", "window.full", value("free", "0x10000000000-0x20000000000")},
	})
	f, tr := recorded.Kernel(t, usual, probe)
	f.PageSize = 1 << 20
	if o := recorded.Judge(Suite(), f, tr)["AD-012"]; o.Status != verdict.Error {
		t.Errorf("pages of an unknown size: %+v", o)
	}
}

// unknown makes the reason why a sysctl could not be set that of a failed write.
func unknown(why string) func(*wire.Observation) {
	return func(o *wire.Observation) {
		delete(o.Values, "value")
		o.Unknown = map[string]string{"value": why}
	}
}

// TestWhatASystemChoseIsNoFault fails if a kernel is blamed, or mapstack, for a setting
// or a right that the system's owner decides about.
func TestWhatASystemChoseIsNoFault(t *testing.T) {
	recorded.Judged(t, Suite(), usual, probe, verdict.Unsupported, []recorded.Wrong{
		{"AD-002", "floor.raise", unknown("open /proc/sys/vm/mmap_min_addr: read-only file system")},
		{"AD-104", "floor.raise", unknown("open /proc/sys/vm/mmap_min_addr: permission denied")},
		{"AD-109", "floor.raise", unknown("open /proc/sys/vm/mmap_min_addr: read-only file system")},
		{"AD-005", "run 1.conditions", value("legacy", "1")},
		{"AD-005", "run 1.conditions", value("stack limit", "unlimited")},
		{"AD-005", "run 1.conditions", value("personality", "0x200000")},
		{"AD-007", "run 1.conditions", value("legacy", "1")},
		{"AD-013", "run 1.conditions", value("legacy", "1")},
		{"AD-107", "run 1.conditions", value("legacy", "1")},
		{"AD-015", "run 1.conditions", value("legacy", "1")},
		{"AD-015", "run 1.conditions", value("randomize", "0")},
		{"AD-015", "run 1.conditions", value("personality", "0x40000")},
		{"AD-006", "legacy set", unknown("open /proc/sys/vm/legacy_va_layout: read-only file system")},
	})
	f, tr := recorded.Kernel(t, usual, probe)
	f.Filtered = true
	none := uint64(0)
	f.Capabilities = &none
	for id, change := range map[string]recorded.Answer{
		"AD-007": recorded.Fails("unlimited.set", 1, "EPERM"),
		"AD-011": recorded.Fails("root.fixed 0x0", 1, "EPERM"),
		"AD-104": recorded.Fails("floor.raised, root a page below", 1, "EPERM"),
		"AD-102": recorded.Fails("compat.set", 1, "EPERM"),
		"AD-106": recorded.Fails("fixed.set", 1, "EPERM"),
	} {
		if o := recorded.One(t, Suite(), id, f, recorded.Answered(t, tr, change)); o.Status != verdict.Unsupported || o.Feature == "" {
			t.Errorf("%s of root in a container: %+v", id, o)
		}
	}
	f.VABits = 36
	if o := recorded.One(t, Suite(), "AD-003", f, tr); o.Status != verdict.Unsupported {
		t.Errorf("a hint of 37 bits in a space of 36: %+v", o)
	}
}

// TestSELinuxMayHaveAFloor fails if a kernel is blamed for a refusal of SELinux, or if
// any EACCES is taken for one.
func TestSELinuxMayHaveAFloor(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Answered(t, tr, recorded.Fails("root.fixed 0x0", 13, "EACCES"), recorded.Fails("root.fixed 0x8000", 13, "EACCES"))
	for _, tt := range []struct {
		name   string
		lsms   []string
		config string
		want   verdict.Status
	}{
		{"SELinux", []string{"capability", "selinux"}, "", verdict.Pass},
		{"SELinux with a lower floor", []string{"capability", "selinux"}, "32768", verdict.Fail},
		{"no SELinux", []string{"capability", "apparmor"}, "", verdict.Fail},
		{"unknown modules", nil, "", verdict.Error},
	} {
		f.LSMs, f.Config = tt.lsms, map[string]string{"CONFIG_LSM_MMAP_MIN_ADDR": tt.config}
		if o := recorded.One(t, Suite(), "AD-011", f, tr); o.Status != tt.want {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
	eperm := recorded.Change(t, tr, "root.fixed 0x0", eperm)
	f.LSMs, f.Config = []string{"capability", "selinux"}, nil
	if o := recorded.One(t, Suite(), "AD-011", f, eperm); o.Status != verdict.Fail {
		t.Errorf("EPERM to root beside SELinux: %+v", o)
	}
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, Suite(), usual, probe)
}

// TestEveryArchitectureHasALayout fails if an architecture of poc/abi has no
// layout here.
func TestEveryArchitectureHasALayout(t *testing.T) {
	for _, a := range abi.All() {
		l, ok := layoutOf(a.GOARCH)
		if !ok || len(l.pages) == 0 {
			t.Errorf("%s has no layout", a.GOARCH)
		}
		for size, p := range l.pages {
			for bits, window := range p.windows {
				if window > bits || window < 36 || bits < 64 && l.beyond == "" || l.beyond != "" && a.Errno(l.beyond) == 0 {
					t.Errorf("%s with pages of %d bytes: a window of %d bits in %d", a.GOARCH, size, window, bits)
				}
			}
			if len(p.windows) == 0 {
				t.Errorf("%s with pages of %d bytes has no address space", a.GOARCH, size)
			}
		}
	}
}
