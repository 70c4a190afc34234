package protection

import (
	"maps"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that most wrong answers are given on.
const usual = "amd64-debian13bpo-newest"

var (
	value   = recorded.Value
	success = recorded.Success("0x0")
	einval  = recorded.Errno(22, "EINVAL")
	eperm   = recorded.Errno(1, "EPERM")
)

// wrong returns, by recorded cell, the answers that must turn a claim red.
func wrong() map[string][]recorded.Wrong {
	return map[string][]recorded.Wrong{
		usual: {
			{"PR-004", "write.mmap", einval},
			{"PR-004", "write.mmap", value("perms", "r--p")},
			{"PR-004", "write.mmap", value("perms", "rw-p")}, // only riscv64 may
			{"PR-004", "write.mmap", value("write", "fault")},
			{"PR-004", "write.mprotect", value("content", "0")},
			{"PR-110", "write.mmap", value("read", "0")},
			{"PR-110", "write.mprotect", value("read", "fault")},
			{"PR-005", "execute.mmap", eperm},
			{"PR-005", "execute.mmap", value("perms", "r-xp")},
			{"PR-005", "execute.mprotect", value("write", "ok")},
			{"PR-005", "execute.mprotect", value("content", "0")},
			{"PR-005", "execute.mmap", value("content", "165")},
			{"PR-111", "execute.mmap", value("read", "0")}, // and a touched page faults
			{"PR-111", "execute.mprotect", value("read", "165")},
			{"PR-102", "execute.mmap", value("read", "0")},
			{"PR-102", "processor", value("ospke", "false")}, // the recording faults
			{"PR-008", "unknown bits in mprotect", value("0x100000", "ok")},
			{"PR-108", "unknown bits in mprotect", value("0x20", "ok")},
			{"PR-008", "unknown bits in mprotect", value("0x80000000", "EACCES")},
			{"PR-008", "unknown bits in mprotect", value("0x80000000 store", "fault")},
			{"PR-108", "unknown bits in mprotect", value("0x40 store", "fault")},
			{"PR-103", "unknown bits in mmap", value("0x40", "EINVAL")},
			{"PR-103", "unknown bits in mmap", value("0x40 store", "fault")},
			{"PR-104", "sem in mprotect", einval},
			{"PR-104", "sem in mprotect", value("perms", "r--p")},
			{"PR-112", "sem in mmap", einval},
			{"PR-112", "sem in mmap", value("perms", "r--p")},
			{"PR-012", "user.stack 3", eperm},
			{"PR-012", "user.stack 3", value("perms", "r--p")}, // what the article says
			{"PR-012", "user.stack 7", value("store", "fault")},
			{"PR-012", "user.plain 0", eperm},
			{"PR-012", "user.stack 7", eperm}, // plain memory is not refused
			{"PR-012", "user.plain 7", eperm}, // the stack escapes the policy
			{"SG-009", "yama.stack 0", eperm},
			{"SG-009", "yama.stack 3", value("perms", "r--p")},
		},
		"mips64le-debian12-6.1-loongson3": {
			{"PR-109", "execute.mmap", value("read", "0")},
			{"PR-109", "processor", value("rixi", "false")}, // the recording faults
		},
		"loong64-debian14-newest": {
			{"PR-109", "execute.mmap", value("read", "0")},
		},
		"riscv64-debian14-newest": {
			{"PR-109", "execute.mmap", value("read", "0")},
			{"PR-004", "write.mmap", value("perms", "rwxp")},
			{"PR-012", "user.stack 2", value("perms", "-w-p")}, // unlike the plain one
		},
		"mips64le-debian12-6.1-malta": {
			{"PR-109", "execute.mmap", value("read", "fault")},
			{"PR-109", "processor", value("rixi", "true")}, // the recording reads
			{"PR-110", "write.mprotect", value("read", "0")},
			{"PR-104", "sem in mprotect", value("store", "fault")},
		},
		"s390x-debian14-newest": {
			{"PR-111", "execute.mmap", value("read", "fault")},
		},
		"ppc64le-debian14-newest-64k": {
			{"PR-103", "unknown bits in mmap", value("0x40", "ok")},
		},
		"arm64-debian13-6.12-16k": {
			{"PR-105", "bti in mprotect", einval},
			{"PR-105", "mte in mprotect", success},
			{"PR-105", "mte in mmap", einval},
			{"PR-105", "bti in mmap", value("vmflags", "rd wr mr mw me ac")},
		},
	}
}

func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryClaimCanFail(t, recorded.Except(recorded.Of(Suite(), probe), later...), probe, wrong())
	recorded.EveryDefectIsCaught(t, recorded.Of(Suite(), zeropage), usual, zeropage, recorded.Defects{"PR-107": {
		"owned":       recorded.All(recorded.Shows("mprotect", "Rss", "4 kB")),
		"refused":     recorded.All(recorded.Fails("mprotect", 13, "EACCES")),
		"unreachable": recorded.All(recorded.Shows("mprotect", "perms", "r--p")),
	}})
}

// TestTheSharedPageIsLostOnMIPS fails if the claim misses a defect of real kernels.
func TestTheSharedPageIsLostOnMIPS(t *testing.T) {
	for _, cell := range []string{"mips64le-debian12-6.1-malta", "mips64le-debian12-6.1-loongson3"} {
		f, tr := recorded.Kernel(t, cell, zeropage)
		if o := recorded.One(t, Suite(), "PR-107", f, tr); o.Status != verdict.Fail {
			t.Errorf("%s: %+v", cell, o)
		}
	}
}

// TestCPUsWithoutTheFeatureMayRead fails if a kernel is blamed for a feature that
// its CPU lacks.
func TestCPUsWithoutTheFeatureMayRead(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Change(t, tr, "processor", value("ospke", "false"))
	tr = recorded.Change(t, tr, "execute.mmap", value("read", "0"))
	tr = recorded.Change(t, tr, "execute.mprotect", value("read", stored))
	outcomes := recorded.Judge(Suite(), f, tr)
	for _, id := range []string{"PR-005", "PR-102", "PR-111"} {
		if o := outcomes[id]; o.Status != verdict.Pass {
			t.Errorf("%s: %+v", id, o)
		}
	}
}

// TestAPolicyRefusesStacksAlike fails if a policy against executable memory is taken for
// a fault of the kernel, or if a strict Yama may bring one.
func TestAPolicyRefusesStacksAlike(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	refuse := func(tr wire.Transcript, child string) wire.Transcript {
		for _, step := range []string{"plain 6", "stack 6", "plain 7", "stack 7"} {
			tr = recorded.Change(t, tr, child+"."+step, recorded.Errno(13, "EACCES"))
		}
		return tr
	}
	for name, tc := range map[string]struct {
		id   string
		tr   wire.Transcript
		want verdict.Status
	}{
		"a user":           {"PR-012", refuse(tr, "user"), verdict.Pass},
		"before and after": {"SG-009", refuse(refuse(tr, "user"), "yama"), verdict.Pass},
		"with Yama alone":  {"SG-009", refuse(tr, "yama"), verdict.Fail},
		"unlisted modules": {"PR-012", recorded.Change(t, tr, "modules", value("active", "")), verdict.Pass},
	} {
		if o := recorded.One(t, Suite(), tc.id, f, tc.tr); o.Status != tc.want {
			t.Errorf("%s, %s: %s, want %s: %s", tc.id, name, o.Status, tc.want, o.Reason)
		}
	}
	for scope, why := range map[string]string{"": "no Yama", "3": "fixed"} {
		g := f
		g.Sysctls = maps.Clone(f.Sysctls)
		if g.Sysctls["kernel.yama.ptrace_scope"] = scope; scope == "" {
			delete(g.Sysctls, "kernel.yama.ptrace_scope")
		}
		if o := recorded.One(t, Suite(), "SG-009", g, tr); o.Status != verdict.Unsupported {
			t.Errorf("SG-009, %s: %+v", why, o)
		}
	}
}

func TestOtherConditionsAreNoVerdict(t *testing.T) {
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"PR-004", "write", value("timedout", "true")},
		{"PR-012", "user.who", value("uid", "0")},
		{"PR-012", "user", value("exit", "2")},
		{"SG-009", "yama set", value("scope", "1")},
		{"PR-103", "unknown bits in mmap", func(o *wire.Observation) { delete(o.Values, "0x40") }},
	})
	recorded.Judged(t, Suite(), usual, zeropage, verdict.Error, []recorded.Wrong{
		{"PR-107", "read", value("Rss", "4 kB")},
	})
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, recorded.Except(recorded.Of(Suite(), probe), later...), usual, probe)
	recorded.SilenceIsNoFault(t, recorded.Of(Suite(), zeropage), usual, zeropage)
}

// TestAContainerIsNoFault fails if a kernel is blamed where root could become no other user,
// or where memory may not become executable.
func TestAContainerIsNoFault(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.With(tr, stacks(tr)...)
	alone := recorded.Change(t, tr, "user", func(o *wire.Observation) {
		o.Values, o.Unknown = nil, map[string]string{"exit": "the child could not be started: operation not permitted"}
	})
	if o := recorded.One(t, Suite(), "PR-012", f, alone); o.Status != verdict.Unsupported {
		t.Errorf("without another user: %+v", o)
	}
	refused := recorded.Change(t, tr, "execute.mprotect", recorded.Errno(1, "EPERM"))
	filtered := f
	filtered.Filtered = true
	told := recorded.With(refused, wire.Observation{Step: "mdwe", Call: "prctl(PR_GET_MDWE)", Ret: "0x1"})
	for _, id := range []string{"PR-102", "PR-111"} {
		if o := recorded.One(t, Suite(), id, filtered, refused); o.Status != verdict.Unsupported {
			t.Errorf("%s with a filter: %+v", id, o)
		}
		if o := recorded.One(t, Suite(), id, f, told); o.Status != verdict.Unsupported {
			t.Errorf("%s with PR_SET_MDWE: %+v", id, o)
		}
	}
	alike := recorded.Change(t, refused, "execute.stack.mprotect", recorded.Errno(1, "EPERM"))
	for _, tc := range []struct {
		id         string
		facts      facts.Facts
		transcript wire.Transcript
		want       verdict.Status
	}{
		{"PR-005", filtered, refused, verdict.Pass},
		{"PR-005", f, told, verdict.Pass},
		{"PR-005", f, refused, verdict.Fail}, // for no reason that is seen
		{"PR-005", filtered, recorded.Change(t, refused, "execute.mmap", recorded.Errno(1, "EPERM")), verdict.Unsupported},
		{"PR-005", f, recorded.Change(t, tr, "execute.mmap", recorded.Errno(1, "EPERM")), verdict.Fail},
		{"PR-106", filtered, alike, verdict.Pass},
		{"PR-106", filtered, refused, verdict.Fail},
		{"PR-106", filtered, recorded.Change(t, tr, "execute.stack.mprotect", recorded.Errno(1, "EPERM")), verdict.Fail},
		{"PR-106", f, alike, verdict.Fail},
	} {
		if o := recorded.One(t, Suite(), tc.id, tc.facts, tc.transcript); o.Status != tc.want {
			t.Errorf("%s: %s, want %s: %s", tc.id, o.Status, tc.want, o.Reason)
		}
	}
}
