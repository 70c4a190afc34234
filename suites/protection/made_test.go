package protection

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// later lists the claims whose steps came after the recordings.
var later = []string{"PR-101", "PR-106"}

// stacks returns the steps with MAP_STACK, with the answers of those without it.
func stacks(tr wire.Transcript) (list []wire.Observation) {
	for _, o := range tr.Observations {
		for child, ways := range map[string][]string{"write.": {"mmap", "mprotect"}, "execute.": {"mmap", "mprotect"}} {
			for _, way := range ways {
				if o.Step == child+way {
					o.Step = child + "stack." + way
					list = append(list, o)
				}
			}
		}
	}
	return list
}

func TestReadsOfStacksCanFail(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	recorded.EveryAnswerDecides(t, recorded.Only(Suite(), later...), f, recorded.With(tr, stacks(tr)...), []recorded.Wrong{
		{"PR-101", "write.mmap", value("read", "0")},
		{"PR-101", "write.stack.mmap", value("read", "0")},
		{"PR-101", "write.stack.mmap", value("read", "fault")}, // plain memory reads
		{"PR-101", "write.mprotect", value("read", "fault")},   // and a stack reads
		{"PR-101", "write.stack.mprotect", eperm},
		{"PR-106", "execute.mprotect", value("read", "0")},
		{"PR-106", "execute.mmap", value("read", "1")},
		{"PR-106", "execute.stack.mmap", value("read", "0")},       // plain memory faults
		{"PR-106", "execute.stack.mprotect", value("read", "165")}, // plain memory faults
		{"PR-106", "execute.stack.mmap", eperm},
	})
}

// TestReadsAreNotComparedWhereTheCPUWavers fails if a MIPS CPU with RIXI is blamed for what
// its TLB happens to hold, or if it may give what was never written.
func TestReadsAreNotComparedWhereTheCPUWavers(t *testing.T) {
	f, tr := recorded.Kernel(t, "mips64le-debian12-6.1-loongson3", probe)
	tr = recorded.With(tr, stacks(tr)...)
	for answer, want := range map[string]verdict.Status{"165": verdict.Pass, "fault": verdict.Pass, "0": verdict.Fail} {
		if o := recorded.One(t, Suite(), "PR-101", f, recorded.Change(t, tr, "write.stack.mprotect", value("read", answer))); o.Status != want {
			t.Errorf("a stack gives %s: %s: %s", answer, o.Status, o.Reason)
		}
	}
}

// TestSELinuxMayRefuseExecutableMemory fails if a kernel is blamed because SELinux refuses
// plain memory with PROT_EXEC, or if it may refuse that to stacks alone.
func TestSELinuxMayRefuseExecutableMemory(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.With(tr, stacks(tr)...)
	refuse := func(tr wire.Transcript, steps ...string) wire.Transcript {
		for _, step := range steps {
			tr = recorded.Change(t, tr, step, recorded.Errno(13, "EACCES"))
		}
		return tr
	}
	plain := refuse(tr, "execute.mmap", "execute.mprotect")
	alike := refuse(plain, "execute.stack.mmap", "execute.stack.mprotect")
	f.LSMs, f.Label = []string{"capability", "selinux"}, "system_u:system_r:init_t:s0"
	permissive := f
	permissive.Permissive = true
	for name, tc := range map[string]struct {
		id   string
		f    facts.Facts
		tr   wire.Transcript
		want verdict.Status
	}{
		"nothing to look at":   {"PR-005", f, alike, verdict.Unsupported},
		"keys":                 {"PR-102", f, alike, verdict.Unsupported},
		"alike":                {"PR-106", f, alike, verdict.Pass},
		"stacks are granted":   {"PR-106", f, plain, verdict.Fail},
		"stacks are refused":   {"PR-106", f, refuse(tr, "execute.stack.mmap"), verdict.Fail},
		"another error":        {"PR-106", f, recorded.Change(t, alike, "execute.stack.mmap", recorded.Errno(1, "EPERM")), verdict.Fail},
		"nobody refuses":       {"PR-005", permissive, alike, verdict.Fail},
		"nobody refuses alike": {"PR-106", permissive, alike, verdict.Fail},
	} {
		o := recorded.One(t, Suite(), tc.id, tc.f, tc.tr)
		if o.Status != tc.want {
			t.Errorf("%s, %s: %s, want %s: %s", tc.id, name, o.Status, tc.want, o.Reason)
		}
		if said := "the probes run under SELinux (enforcing) as " + f.Label; tc.want == verdict.Unsupported && !strings.Contains(o.Reason, said) {
			t.Errorf("%s: %q does not say that %s", tc.id, o.Reason, said)
		}
	}
}
