package signal

import (
	"testing"

	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// usual is the recording that changes are made to.
const usual = "amd64-7.3"

func TestAreaIsValid(t *testing.T) {
	if err := claim.Validate([]claim.Area{Area()}); err != nil {
		t.Fatal(err)
	}
}

// TestRecordedKernelsConform judges Debian kernels under QEMU, with four
// different smallest stacks and two layouts of struct stack_t.
func TestRecordedKernelsConform(t *testing.T) {
	for _, name := range []string{usual, "arm64-6.12-16k", "loong64-7.2", "mips64le-6.1", "ppc64le-7.2-64k", "s390x-7.2"} {
		f, tr := recorded.Kernel(t, name, probe)
		for id, o := range recorded.Judge(Area(), f, tr) {
			if o.Status != verdict.Pass {
				t.Errorf("%s on %s: %s: %s", id, name, o.Status, o.Reason)
			}
		}
	}
}

// wrong is one defect of a kernel.
type wrong struct {
	claim, step string
	change      func(*wire.Observation)
}

func defects() []wrong {
	value, einval := recorded.Value, recorded.Errno(22, "EINVAL")
	return []wrong{
		{"SG-001", "thread.stack", einval}, // only some memory, as on OpenBSD
		{"SG-001", "thread.plain", recorded.Errno(12, "ENOMEM")},
		{"SG-001", "thread.stack", value("handled", "false")},
		{"SG-001", "thread.stack", value("resident after", "0")}, // handled elsewhere
		{"SG-001", "thread.stack", value("sp", "0x7f0000000000")},
		{"SG-001", "thread.plain", value("size", "0x1000")},
		{"SG-001", "thread.stack", value("restored", "false")},
		{"SG-002", "thread.smallest", value("size", "2049")},
		{"SG-002", "thread.smallest", value("size", "8192")}, // another architecture's
		{"SG-002", "thread.smallest", einval},
		{"SG-003", "thread.bad flags", recorded.Success("0x0")},
		{"SG-003", "thread.bad flags", recorded.Errno(12, "ENOMEM")},
		{"SG-003", "thread.bad flags", value("unchanged", "false")},
	}
}

func TestEveryClaimTurnsRedOnItsDefects(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tested := map[string]bool{}
	for _, d := range defects() {
		tested[d.claim] = true
		o := recorded.Judge(Area(), f, recorded.Change(t, tr, d.step, d.change))[d.claim]
		if o.Status != verdict.Fail {
			t.Errorf("%s with a defect in step %q: %s: %s", d.claim, d.step, o.Status, o.Reason)
		}
	}
	for _, c := range Area().Claims {
		if !tested[c.ID] {
			t.Errorf("no defect shows that %s can fail", c.ID)
		}
	}
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for _, o := range tr.Observations {
		if ids := recorded.Red(recorded.Judge(Area(), f, recorded.Without(t, tr, o.Step))); len(ids) > 0 {
			t.Errorf("without step %q these fail: %v", o.Step, ids)
		}
	}
	for name, change := range map[string]func(*wire.Observation){
		"the child timed out": recorded.Value("timedout", "true"),
		"the child crashed":   recorded.Value("exit", "2"),
	} {
		for id, o := range recorded.Judge(Area(), f, recorded.Change(t, tr, "thread", change)) {
			if o.Status != verdict.Error {
				t.Errorf("%s: %s is %s", name, id, o.Status)
			}
		}
	}
	used := recorded.Change(t, tr, "thread.stack", recorded.Value("resident before", "64"))
	if o := recorded.Judge(Area(), f, used)["SG-001"]; o.Status != verdict.Error {
		t.Errorf("memory that was in use before: %+v", o)
	}
}
