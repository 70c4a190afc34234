package protection

import (
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// usual is the recording that changes are made to.
const usual = "amd64-7.3"

// kernels are the recordings, Debian kernels under QEMU, with the claims that
// do not apply to each or that the recording leaves open.
var kernels = map[string][]string{
	"amd64-5.10":             {"PR-105"},
	usual:                    {"PR-105"},
	"arm64-6.12-16k":         {"PR-102"},
	"loong64-7.2":            {"PR-102", "PR-105"},
	"mips64le-6.1-loongson3": {"PR-102", "PR-105"},
	"mips64le-6.1-malta":     {"PR-102", "PR-105", "PR-106"},
	"ppc64le-7.2-64k":        {"PR-102", "PR-105"},
	"riscv64-7.2":            {"PR-102", "PR-105"},
	"s390x-7.2":              {"PR-102", "PR-105"},
}

func TestAreaIsValid(t *testing.T) {
	if err := claim.Validate([]claim.Area{Area()}); err != nil {
		t.Fatal(err)
	}
}

func TestRecordedKernelsConform(t *testing.T) {
	for name, open := range kernels {
		f, tr := recorded.Kernel(t, name, probe)
		for id, o := range recorded.Judge(Area(), f, tr) {
			if slices.Contains(open, id) {
				// The recording's cell has no machine, so PR-106 is tried.
				if o.Status != verdict.Unsupported && (id != "PR-106" || o.Status != verdict.Error) {
					t.Errorf("%s on %s: %s: %s", id, name, o.Status, o.Reason)
				}
			} else if o.Status != verdict.Pass {
				t.Errorf("%s on %s: %s: %s", id, name, o.Status, o.Reason)
			}
		}
	}
}

// TestReadsThatHarmTheMachineAreNotAskedFor fails if malta is judged by a read
// that its probe leaves out.
func TestReadsThatHarmTheMachineAreNotAskedFor(t *testing.T) {
	a, _ := abi.Lookup("mips64le")
	for _, c := range Area().Claims {
		if c.ID != "PR-106" {
			continue
		}
		for machine, want := range map[string]bool{"malta": false, "loongson3": true} {
			if got := c.Unsupported(matrix.Cell{Arch: "mips64le", Machine: machine}, a) == ""; got != want {
				t.Errorf("PR-106 applies to %s: %t", machine, got)
			}
		}
	}
}

var (
	value   = recorded.Value
	success = recorded.Success("0x0")
	einval  = recorded.Errno(22, "EINVAL")
	eperm   = recorded.Errno(1, "EPERM")
)

// wrong is one defect of a kernel.
type wrong struct {
	kernel, claim, step string
	change              func(*wire.Observation)
}

func defects() []wrong {
	return []wrong{
		{usual, "PR-004", "write.mmap", einval},
		{usual, "PR-004", "write.mmap", value("perms", "r--p")},
		{usual, "PR-004", "write.mmap", value("perms", "rw-p")}, // only riscv64 may
		{usual, "PR-004", "write.mmap", value("write", "fault")},
		{usual, "PR-004", "write.mprotect", value("content", "0")},
		{"riscv64-7.2", "PR-004", "write.mmap", value("perms", "rwxp")},
		{usual, "PR-101", "write.mmap", value("read", "0")},
		{"mips64le-6.1-malta", "PR-101", "write.mprotect", value("read", "0")},
		{usual, "PR-005", "execute.mmap", eperm},
		{usual, "PR-005", "execute.mmap", value("perms", "r-xp")},
		{usual, "PR-005", "execute.mprotect", value("write", "ok")},
		{usual, "PR-005", "execute.mprotect", value("content", "0")},
		{usual, "PR-005", "execute.mmap", value("content", "165")},
		{usual, "PR-106", "execute.mprotect", value("read", "0")},
		{"s390x-7.2", "PR-106", "execute.mmap", value("read", "1")},
		{usual, "PR-102", "execute.mmap", value("read", "0")},
		{usual, "PR-102", "processor", value("ospke", "false")}, // the recording faults
		{usual, "PR-008", "unknown bits in mprotect", value("0x20", "ok")},
		{usual, "PR-008", "unknown bits in mprotect", value("0x80000000", "EACCES")},
		{usual, "PR-008", "unknown bits in mprotect", value("0x40 store", "fault")},
		{usual, "PR-103", "unknown bits in mmap", value("0x40", "EINVAL")},
		{usual, "PR-103", "unknown bits in mmap", value("0x40 store", "fault")},
		{"ppc64le-7.2-64k", "PR-103", "unknown bits in mmap", value("0x40", "ok")},
		{usual, "PR-104", "sem in mprotect", einval},
		{usual, "PR-104", "sem in mmap", value("perms", "r--p")},
		{"mips64le-6.1-malta", "PR-104", "sem in mmap", value("store", "fault")},
		{"arm64-6.12-16k", "PR-105", "bti in mprotect", einval},
		{"arm64-6.12-16k", "PR-105", "mte in mprotect", success},
		{"arm64-6.12-16k", "PR-105", "mte in mmap", einval},
		{"arm64-6.12-16k", "PR-105", "bti in mmap", value("vmflags", "rd wr mr mw me ac")},
		{usual, "PR-012", "user.stack 3", eperm},
		{usual, "PR-012", "user.stack 3", value("perms", "r--p")}, // what the article says
		{usual, "PR-012", "user.stack 7", value("store", "fault")},
		{usual, "PR-012", "user.plain 0", eperm},
		{"riscv64-7.2", "PR-012", "user.stack 2", value("perms", "-w-p")}, // unlike the plain one
		{usual, "SG-009", "yama.stack 0", eperm},
		{usual, "SG-009", "yama.stack 3", value("perms", "r--p")},
	}
}

func TestEveryClaimTurnsRedOnItsDefects(t *testing.T) {
	tested := map[string]bool{}
	for _, d := range defects() {
		tested[d.claim] = true
		f, tr := recorded.Kernel(t, d.kernel, probe)
		o := recorded.Judge(Area(), f, recorded.Change(t, tr, d.step, d.change))[d.claim]
		if o.Status != verdict.Fail {
			t.Errorf("%s on %s with a defect in step %q: %s: %s", d.claim, d.kernel, d.step, o.Status, o.Reason)
		}
	}
	for _, c := range Area().Claims {
		if !tested[c.ID] {
			t.Errorf("no defect shows that %s can fail", c.ID)
		}
	}
}

// TestCPUsWithoutTheFeatureMayRead fails if the CPU's part is taken for the
// kernel's.
func TestCPUsWithoutTheFeatureMayRead(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Change(t, tr, "processor", value("ospke", "false"))
	tr = recorded.Change(t, tr, "execute.mmap", value("read", "0"))
	tr = recorded.Change(t, tr, "execute.mprotect", value("read", stored))
	outcomes := recorded.Judge(Area(), f, tr)
	for _, id := range []string{"PR-005", "PR-102", "PR-106"} {
		if o := outcomes[id]; o.Status != verdict.Pass {
			t.Errorf("%s: %+v", id, o)
		}
	}
}

func TestOtherConditionsAreNoVerdict(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for _, tt := range []wrong{
		{usual, "PR-004", "write", value("timedout", "true")},
		{usual, "PR-012", "modules", value("active", "")},
		{usual, "PR-012", "user.who", value("uid", "0")},
		{usual, "PR-012", "user", value("exit", "2")},
		{usual, "SG-009", "yama set", value("scope", "1")},
		{usual, "PR-103", "unknown bits in mmap", func(o *wire.Observation) { delete(o.Values, "0x40") }},
	} {
		if o := recorded.Judge(Area(), f, recorded.Change(t, tr, tt.step, tt.change))[tt.claim]; o.Status != verdict.Error {
			t.Errorf("%s with another %s: %s: %s", tt.claim, tt.step, o.Status, o.Reason)
		}
	}
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for _, o := range tr.Observations {
		if ids := recorded.Red(recorded.Judge(Area(), f, recorded.Without(t, tr, o.Step))); len(ids) > 0 {
			t.Errorf("without step %q these fail: %v", o.Step, ids)
		}
		if o.Values == nil {
			continue
		}
		unknown := recorded.Change(t, tr, o.Step, func(o *wire.Observation) {
			o.Unknown = map[string]string{}
			for key := range o.Values {
				o.Unknown[key] = "no permission"
			}
			o.Values = nil
		})
		if ids := recorded.Red(recorded.Judge(Area(), f, unknown)); len(ids) > 0 {
			t.Errorf("without knowing what step %q saw these fail: %v", o.Step, ids)
		}
	}
}
