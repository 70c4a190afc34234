package mmapabi

import (
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that most wrong answers are given on.
const usual = "amd64-debian13bpo-newest"

var (
	einval  = recorded.Errno(22, "EINVAL")
	enomem  = recorded.Errno(12, "ENOMEM")
	success = recorded.Success("0x7f0000000000")
	value   = recorded.Value
)

// wrong returns, by recorded cell, the answers that must turn a claim red.
func wrong() map[string][]recorded.Wrong {
	return map[string][]recorded.Wrong{
		usual: {
			{"AD-001", "one byte", recorded.Success("0x7f0000000800")},
			{"AD-001", "one byte", value("end", "0x7fffffffffff0000")},
			{"AD-001", "one byte", einval},
			{"MF-001", "mmap", einval},
			{"MF-001", "mmap", value("last", "fault")},
			{"MF-001", "munmap", value("after", "ok")},
			{"MF-001", "offset", value("byte", "1")},
			{"MF-001", "offset", value("write", "ok")},
			{"MF-002", "types anonymous", value("1", invalid)},
			{"MF-002", "types anonymous", value("0", ok)},
			{"MF-111", "validated anonymous", success},
			{"MF-002", "types anonymous", value("15", notSupported)},
			{"MF-111", "types anonymous", value("5", ok)},
			{"MF-111", "types file", value("8", ok)},
			{"MF-112", "unknown bits validated file", value("0x200", ok)},
			{"MF-113", "length 2^63", einval},
			{"MF-003", "droppable", einval},
			{"MF-003", "droppable", value("vmflags", "rd wr nr")},
			{"MF-003", "droppable", value("child", stored)}, // not wiped
			{"MF-003", "types file", value("8", ok)},
			{"MF-004", "types file", value("3", notSupported)},
			{"MF-004", "types file", value("15", ok)},
			{"MF-004", "types file", value("0", ok)},
			{"MF-005", "unknown bits shared file", value("0x400000", notSupported)},
			{"MF-125", "unknown bits private anonymous", value("0x200", invalid)},
			{"MF-125", "unknown bits private file", value("0x400000", invalid)},
			{"MF-125", "sync private", recorded.Errno(95, notSupported)},
			{"MF-006", "sync validated", success},
			{"MF-006", "sync validated", einval},
			{"MF-007", "validated 0x80000", success},
			{"MF-007", "validated 0x80000", einval},
			{"MF-008", "sync shared", recorded.Errno(95, notSupported)},
			{"MF-010", "unknown bits validated file", value("0x400000", ok)},
			{"MF-011", "validated legacy flags", value("stack", notSupported)},
			{"MF-012", "protections", value("6 stack", invalid)},
			{"MF-012", "protections", value("0", invalid)},
			{"MF-012", "protections", value("7", "EACCES")}, // no policy is in force
			{"MF-013", "noreplace free", success},           // elsewhere
			{"MF-013", "noreplace occupied", success},
			{"MF-013", "noreplace occupied", value("kept", "0")},
			{"MF-013", "noreplace and fixed occupied", success},
			{"MF-013", "noreplace unaligned", success},
			{"MF-014", "validated noreplace", success},
			{"MF-015", "fixed occupied", success}, // elsewhere
			{"MF-015", "fixed occupied", value("after", stored)},
			{"MF-016", "fixed unaligned", success},
			{"MF-016", "hint occupied", einval},
			{"MF-016", "hint occupied", value("kept", "0")},
			{"MF-016", "hint unaligned", value("aligned", "false")},
			{"MF-016", "hint occupied", func(o *wire.Observation) { o.Ret = o.Values["asked"] }},
			{"MF-017", "length 0", success},
			{"MF-017", "length 2^63", success},
			{"MF-017", "length 2^64-1", recorded.Errno(14, "EFAULT")},
			{"MF-017", "offset unaligned", success},
			{"MF-018", "no file", success},
			{"MF-018", "anonymous with no file", recorded.Errno(9, "EBADF")},
			{"MF-018", "anonymous with a file that is not open", recorded.Errno(9, "EBADF")},
			{"MF-019", "read-only file shared writable", success},
			{"MF-019", "read-only file private writable", recorded.Errno(13, "EACCES")},
			{"MF-019", "read-only file made writable", success},
			{"MF-019", "read-only file made writable", value("write", ok)},
			{"MF-020", "bit 0x8000", value("resident", "0")},
			{"MF-020", "bit 0x8000", value("resident", "15")},
			{"MF-020", "populate and nonblock", value("resident", "16")},
			{"MF-021", "locked.user over the limit", success},
			{"MF-021", "locked.user over the limit", enomem},
			{"MF-021", "locked.user with limit 0", recorded.Errno(11, "EAGAIN")},
			{"MF-021", "locked.root with limit 0", recorded.Errno(1, "EPERM")},
			{"MF-021", "locked.root over the limit", value("resident", "3")},
			{"MF-022", "bit 0x10000", value("vmflags", "rd wr mr mw me ac nh")},
			{"MF-022", "bit 0x4000000", value("resident", "16")},
			{"MF-022", "bit 0x800", value("perms", "r--p")},
			{"MF-023", "bit 0x4000", value("vmflags", "rd wr mr mw me ac")},
			{"MF-023", "bit 0x4000", value("vmflags", "rd wr mr mw me ac nr")},
			{"MF-024", "hugetlb", success},
			{"MF-024", "hugetlb", einval},
			{"MF-114", "hugetlb of 32 bytes", enomem},
			{"MF-114", "hugetlb file", enomem},
			{"MF-114", "hugetlb of 32 bytes", success},
			{"MF-025", "hugetlb file", success},
			{"MF-026", "bit 0x100", value("vmflags", "rd wr mr mw me ac")},
			{"MF-027", "grow.1 page", value("store", "fault")},
			{"MF-027", "grow.1 page", value("start", "0x1000")},
			{"MF-115", "grow.100 pages", value("start", "0x1000")},
			{"MF-115", "grow.100 pages", value("vmflags", "rd wr mr mw me ac")},
			{"MF-028", "grow.inside the gap", value("touch", ok)},
			{"MF-028", "grow.at the gap", value("touch", "fault")},
			{"MF-028", "grow.next to an inaccessible page", value("touch", "fault")},
			{"MF-030", "full.at the limit", value("store", "fault")}, // a page less
			{"MF-030", "full.at the limit", value("start", "0x7f0000000000")},
			{"MF-030", "full", value("stderr", "")}, // the child grew on
			{"MF-030", "full.beyond the limit", value("store", "fault")},
			{"MF-110", "full.longer stack", enomem},
			{"MF-110", "full.longer growing", enomem},
			{"MF-110", "full.longer growing", value("first", "fault")},
			{"SG-011", "full", value("stderr", "[signal SIGSEGV: segmentation violation code=0x2 addr=0x1 pc=0x1]")},
			{"SG-011", "full", value("stderr", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x1 pc=0x1]")},
			{"SG-011", "full", value("stderr", "[signal SIGBUS: bus error code=0x2 addr=0x1 pc=0x1]")},
			{"MF-029", "grow.hint at the gap", success}, // elsewhere
			{"MF-029", "grow.hint inside the gap", func(o *wire.Observation) { o.Ret = o.Values["asked"] }},
			{"MF-031", "bit 0x40", success},
			{"MF-031", "bit 0x80", recorded.Success("0x40000000")},
			{"MF-126", "prot_growsdown on a plain mapping", success},
			{"MF-126", "prot_growsdown on a plain mapping", value("first.perms", "r--p")},
			{"MF-032", "prot_growsdown on a growing mapping", value("first.perms", "rw-p")},
			{"MF-032", "prot_growsdown on a growing mapping", value("after.perms", "r--p")},
			{"MF-101", "bit 0x20", value("bare", "EBADF")},
			{"MF-101", "bit 0x800", value("bare", ok)}, // as on MIPS
			{"MF-101", "plain", value("bare", ok)},
			{"MF-101", "bit 0x20", value("bare", invalid)},
			{"MF-102", "bit 0x20000", value("resident", "16")}, // as on alpha
			{"MF-102", "bit 0x2000", value("resident", "0")},
			{"MF-102", "plain", value("resident", "16")},
			{"MF-102", "bit 0x2000", value("resident", "15")},
			{"MF-103", "bit 0x80", value("vmflags", "rd wr lo ac")}, // as on ppc64le
			{"MF-103", "bit 0x2000", value("vmflags", "rd wr ac")},
			{"MF-104", "bit 0x400", value("vmflags", "rd wr nr")}, // as on MIPS
			{"MF-105", "bit 0x1000", value("vmflags", "rd wr gd ac")},
			{"MF-105", "bit 0x100", value("vmflags", "rd wr ac")},
			{"MF-106", "bit 0x40000", success},
			{"MF-106", "bit 0x80000", enomem}, // as on MIPS
			{"MF-107", "bit 0x10", value("occupied", "elsewhere")},
			{"MF-107", "bit 0x10", value("kept", stored)},
			{"MF-107", "bit 0x100000", value("occupied", "elsewhere")},
			{"MF-107", "bit 0x100", value("occupied", "replaced")}, // as on alpha
			{"MF-107", "bit 0x400000", value("kept", "0")},
			{"MF-108", "bit 0x80000", value("vmflags", "rd wr ac nh")}, // as on alpha
			{"MF-108", "bit 0x20000", einval},
			{"MF-109", "madvise 4", value("byte", "1")},
			{"MF-109", "madvise 4", einval},
			{"MF-109", "madvise 6", value("byte", "0")},
		},
		"mips64le-debian12-6.1-malta": {
			{"MF-009", "private 0x80000 file", success},
		},
	}
}

func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryClaimCanFail(t, recorded.Except(Suite(), later...), probe, wrong())
}

// TestConstantsOfAnotherArchitectureAreNoticed fails if a program that was built
// with the table of another architecture passes.
func TestConstantsOfAnotherArchitectureAreNoticed(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for goarch, want := range map[string][]string{
		"mips64le": {"MF-101", "MF-102", "MF-103", "MF-105", "MF-108"},
		"ppc64le":  {"MF-103"},
		"sw64":     {"MF-101", "MF-102", "MF-103", "MF-105", "MF-107", "MF-108", "MF-109"},
	} {
		f.Arch = goarch
		got := recorded.Red(recorded.Judge(Suite(), f, tr))
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Errorf("with the constants of %s, %s does not fail; these do: %v", goarch, id, got)
			}
		}
	}
}

func TestExpectationsFollowTheKernelVersion(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	f.Release = release.Release{Major: 6, Minor: 1}
	if got := recorded.Red(recorded.Judge(Suite(), f, tr)); !slices.Equal(got, []string{"MF-003"}) {
		t.Errorf("the newest judged as 6.1 fails %v, want MF-003 alone", got)
	}
	if o := recorded.Judge(Suite(), f, recorded.Change(t, tr, "droppable", einval))["MF-003"]; o.Status != verdict.Pass {
		t.Errorf("6.1 without MAP_DROPPABLE: %+v", o)
	}
}

// TestSysconfIsHeldAgainstTheKernel fails if a wrong or missing page size of
// sysconf passes.
func TestSysconfIsHeldAgainstTheKernel(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for pageSize, want := range map[int64]verdict.Status{4096: verdict.Pass, 16384: verdict.Fail, 1000: verdict.Fail, 0: verdict.Fail, -1: verdict.Fail} {
		f.Sysconf = map[string]int64{"SC_PAGESIZE": pageSize}
		if o := recorded.Judge(Suite(), f, tr)["AD-001"]; o.Status != want {
			t.Errorf("sysconf says %d: %+v", pageSize, o)
		}
	}
	f.Sysconf = nil
	if o := recorded.Judge(Suite(), f, tr)["AD-001"]; o.Status != verdict.Error {
		t.Errorf("sysconf says nothing: %+v", o)
	}
}

// TestHugePagesDecideOnlyWhatTheyCan covers machines that have no huge pages at
// all, and those where some are reserved.
func TestHugePagesDecideOnlyWhatTheyCan(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	none := recorded.Change(t, tr, "environment", func(o *wire.Observation) { delete(o.Values, "hugepages") })
	some := recorded.Change(t, tr, "environment", value("hugepages", "2"))
	marked := func(flags string) func(*wire.Observation) {
		return func(o *wire.Observation) { success(o); value("vmflags", flags)(o) }
	}
	huge, small := marked("rd wr ht"), marked("rd wr")
	for name, tc := range map[string]struct {
		tr   wire.Transcript
		want verdict.Status
	}{
		"none at all, ENOENT":      {recorded.Change(t, none, "hugetlb", recorded.Errno(2, "ENOENT")), verdict.Pass},
		"none at all, ENOMEM":      {none, verdict.Pass}, // no manual has the error
		"none at all, accepted":    {recorded.Change(t, none, "hugetlb", success), verdict.Fail},
		"some, and it is accepted": {recorded.Change(t, recorded.Change(t, some, "hugetlb", success), "bit 0x40000", huge), verdict.Pass},
		"some, and it is ignored":  {recorded.Change(t, recorded.Change(t, some, "hugetlb", success), "bit 0x40000", small), verdict.Fail},
		"some, all in use":         {some, verdict.Pass},
		"some, another error":      {recorded.Change(t, some, "hugetlb", einval), verdict.Fail},
	} {
		if o := recorded.Judge(Suite(), f, tc.tr)["MF-024"]; o.Status != tc.want {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if o := recorded.Judge(Suite(), f, none)["MF-114"]; o.Status != verdict.Fail {
		t.Errorf("ENOMEM where the machine has no huge pages: %+v", o)
	}
}

// TestAPolicyRefusesStacksAlike fails if a policy against executable memory is taken for
// a fault of the kernel, or if it may treat stacks differently.
func TestAPolicyRefusesStacksAlike(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	f.LSMs = []string{"capability", "selinux"}
	plain := recorded.Change(t, tr, "protections", value("7", "EACCES"))
	for name, tc := range map[string]struct {
		tr   wire.Transcript
		want verdict.Status
	}{
		"both refused":    {recorded.Change(t, plain, "protections", value("7 stack", "EACCES")), verdict.Pass},
		"two errors":      {recorded.Change(t, plain, "protections", value("7 stack", "EPERM")), verdict.Fail},
		"plain alone":     {plain, verdict.Fail},
		"stack alone":     {recorded.Change(t, tr, "protections", value("7 stack", "EACCES")), verdict.Fail},
		"data is no code": {recorded.Change(t, recorded.Change(t, tr, "protections", value("3", "EACCES")), "protections", value("3 stack", "EACCES")), verdict.Fail},
	} {
		if o := recorded.One(t, Suite(), "MF-012", f, tc.tr); o.Status != tc.want {
			t.Errorf("%s: %s, want %s: %s", name, o.Status, tc.want, o.Reason)
		}
	}
}

// TestAContainerMayNotLock fails if root whose mlock is refused is expected to get
// MAP_LOCKED, or if a kernel passes that grants it all the same.
func TestAContainerMayNotLock(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	change := func(tr wire.Transcript, step string, change func(*wire.Observation)) wire.Transcript {
		return recorded.Change(t, tr, step, change)
	}
	control := change(tr, "locked.root over the limit", value("mlock", "ENOMEM"))
	over := change(control, "locked.root over the limit", recorded.Errno(11, "EAGAIN"))
	refused := change(over, "locked.root with limit 0", recorded.Errno(1, "EPERM"))
	alone := change(refused, "locked.user", recorded.Errno(22, "EINVAL"))
	for name, tc := range map[string]struct {
		transcript wire.Transcript
		want       verdict.Status
	}{
		"refused as mlock is":           {refused, verdict.Pass},
		"without another user":          {alone, verdict.Pass},
		"granted beyond the limit":      {control, verdict.Fail},
		"granted with limit 0":          {over, verdict.Fail},
		"another error":                 {change(refused, "locked.root over the limit", enomem), verdict.Fail},
		"granted to the user":           {change(refused, "locked.user over the limit", success), verdict.Fail},
		"refused although mlock is not": {change(tr, "locked.root over the limit", recorded.Errno(11, "EAGAIN")), verdict.Fail},
		"root, without another user":    {change(tr, "locked.user", recorded.Errno(1, "EPERM")), verdict.Unsupported},
	} {
		if o := recorded.One(t, Suite(), "MF-021", f, tc.transcript); o.Status != tc.want {
			t.Errorf("%s: %s, want %s: %s", name, o.Status, tc.want, o.Reason)
		}
	}
}

func TestStrictAccountingIgnoresNoReserve(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Change(t, tr, "environment", value("overcommit", "2"))
	if o := recorded.Judge(Suite(), f, tr)["MF-023"]; o.Status != verdict.Fail {
		t.Errorf("nr although accounting is strict: %+v", o)
	}
	tr = recorded.Change(t, tr, "bit 0x4000", value("vmflags", "rd wr mr mw me ac"))
	if o := recorded.Judge(Suite(), f, tr)["MF-023"]; o.Status != verdict.Pass {
		t.Errorf("strict accounting: %+v", o)
	}
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, recorded.Except(Suite(), later...), usual, probe)
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"MF-030", "full.limit", recorded.Errno(1, "EPERM")},
		{"MF-110", "full.limit", recorded.Errno(1, "EPERM")},
		{"SG-011", "full", value("timedout", "true")},
	})
}
