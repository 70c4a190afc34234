package tracing

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// usual is the recorded cell that most wrong answers are given on. old is a cell
// without PTRACE_SET_SYSCALL_INFO.
const (
	usual = "amd64-debian13bpo-newest"
	old   = "amd64-debian11-5.10"
)

// wrong returns, by recorded cell, the answers that must turn a claim red.
func wrong() map[string][]recorded.Wrong {
	value, success := recorded.Value, recorded.Success
	einval, enosys, eio := recorded.Errno(22, "EINVAL"), recorded.Errno(38, "ENOSYS"), recorded.Errno(5, "EIO")
	return map[string][]recorded.Wrong{
		usual: {
			{"SG-005", "threads.filter", enosys},           // no CONFIG_SECCOMP_FILTER
			{"SG-005", "threads.filter", success("0x120")}, // a thread that could not be bound
			{"SG-005", "threads.older 2", success("0x0")},
			{"SG-005", "threads.newer", success("0x0")},
			{"SG-005", "threads.tasks", value("restricted", "1")},
			{"SG-005", "threads.older 0", recorded.Errno(1, "EPERM")},
			{"SG-006", "traced.entry", eio},
			{"SG-006", "traced.entry", value("number", "222")},
			{"SG-006", "traced.entry", value("argument 0", "0x0")},
			{"SG-006", "traced.entry", value("argument 5", "0x4444")},
			{"SG-102", "traced.exit", success("0xffffffffffffffea")}, // the error told as a value
			{"SG-102", "traced.exit", enosys},
			{"SG-007", "traced.set", eio},
			{"SG-007", "traced.changed", einval}, // nothing was changed
			{"SG-007", "traced.changed", success("0x0")},
			{"SG-103", "traced.set reserved", success("0x0")},
			{"SG-103", "traced.reserved", success("0x1")},
			{"SG-008", "listener.filter", einval},
			{"SG-008", "listener.getfd", recorded.Errno(1, "EPERM")},
			{"SG-008", "listener.refused", success("0x5f")}, // nobody was asked
			{"SG-008", "listener.refused", enosys},
			{"SG-104", "listener.getfd", recorded.Errno(1, "EPERM")},
			{"SG-104", "listener.replaced", success("0x5f")},
			{"SG-104", "listener.replaced", enosys},
			{"SG-008", "listener.continued", success("0x0")},
			{"SG-010", "tracefs.mount", recorded.Errno(19, "ENODEV")},
			{"SG-010", "tracefs.events", value("sched_process_fork", "false")},
			{"SG-010", "tracefs.events", value("sched_switch", "false")},
			{"SG-010", "tracefs.events", value("sched_thread_load", "true")},
		},
		old: {
			{"SG-007", "traced.set", success("0x0")},
			{"SG-007", "traced.changed", success("0x1")},
			{"SG-103", "traced.set reserved", einval},
		},
	}
}

func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryClaimCanFail(t, Suite(), probe, wrong())
}

func TestSilenceIsNoFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, Suite(), usual, probe)
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"SG-005", "threads.before", recorded.Errno(1, "EPERM")},
		{"SG-102", "traced.watched", recorded.Success("0x0")},
	})
}

func TestExpectationsFollowTheKernelVersion(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	f.Release = release.Release{Major: 6, Minor: 15}
	for _, id := range []string{"SG-007", "SG-103"} {
		if o := recorded.One(t, Suite(), id, f, tr); o.Status != verdict.Fail {
			t.Errorf("%s of a kernel that calls itself 6.15: %+v", id, o)
		}
	}
}
