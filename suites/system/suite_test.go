package system

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that wrong answers are given on.
const usual = "amd64-debian12-6.1-settings"

// TestEveryClaimCanFail fails if a check does not notice what it is about.
func TestEveryClaimCanFail(t *testing.T) {
	shows := recorded.Shows
	recorded.EveryDefectIsCaught(t, Suite(), usual, probe, recorded.Defects{
		"OS-001": {
			"a limit ends the program":      recorded.All(shows("service", "exit", "2"), shows("service.events", "pids", "1")),
			"a limit stops the program":     recorded.All(shows("service", "timedout", "true")),
			"fewer threads than were asked": recorded.All(shows("service.up", "threads", "1000")),
		},
		"OS-002": {
			"a limit ends the program":      recorded.All(shows("session", "exit", "2")),
			"fewer threads than were asked": recorded.All(shows("session.up", "threads", "500")),
			"it becomes no other user":      recorded.All(recorded.Fails("session.before", 11, "EAGAIN")),
		},
		"OS-003": {
			"the kernel keeps another value": recorded.All(shows("sysctl kernel.pid_max", "is", "32768")),
			"the kernel has no such sysctl":  recorded.All(shows("sysctl kernel.pid_max", "is", "absent")),
		},
	})
}

// TestNoPidsControllerIsNoError fails if a kernel without that controller ends a run with
// an error, although the program has its threads.
func TestNoPidsControllerIsNoError(t *testing.T) {
	shows := recorded.Shows
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Answered(t, tr, shows("service.limits", "pids.max", "absent"), shows("service.events", "pids", "absent"),
		shows("session.limits", "pids.max", "absent"), shows("session.events", "pids", "absent"))
	for id, o := range recorded.Judge(Suite(), f, tr) {
		if o.Status != verdict.Pass {
			t.Errorf("%s: %+v", id, o)
		}
	}
}

// TestAGroupThatNobodyMayMakeIsNoFault fails if a program passes, or fails, without the limit
// that the system sets for it.
func TestAGroupThatNobodyMayMakeIsNoFault(t *testing.T) {
	shows := recorded.Shows
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Answered(t, tr, shows("service.limits", "ungrouped", "mkdir /sys/fs/cgroup/oslimits-service: permission denied"), shows("service.events", "pids", "absent"))
	for id, want := range map[string]verdict.Status{"OS-001": verdict.Unsupported, "OS-002": verdict.Pass} {
		if o := recorded.One(t, Suite(), id, f, tr); o.Status != want {
			t.Errorf("%s: %+v", id, o)
		}
	}
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, Suite(), usual, probe)
}

// TestNoSysctlIsNoError fails if a system that sets only limits ends a run with an
// error, because it has no sysctl to compare.
func TestNoSysctlIsNoError(t *testing.T) {
	limits := matrix.Setting{Of: matrix.OfSession, Name: "nproc", Value: "-:500", Source: "/etc/security/limits.conf:1"}
	sysctl := matrix.Setting{Of: matrix.OfSysctl, Name: "kernel.pid_max", Value: "4096", Source: "/etc/sysctl.conf:1"}
	for _, c := range Suite().Claims {
		if why := c.Unsupported(matrix.Cell{Policy: []matrix.Setting{limits}}, abi.Table{}); (why != "") != (c.ID == "OS-003") {
			t.Errorf("%s of a system with limits alone is left for %q", c.ID, why)
		}
		if why := c.Unsupported(matrix.Cell{Policy: []matrix.Setting{limits, sysctl}}, abi.Table{}); why != "" {
			t.Errorf("%s of a system with a sysctl is left for %q", c.ID, why)
		}
	}
}
