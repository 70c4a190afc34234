package tracing

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that most wrong answers are given on. old is a cell
// without PTRACE_SET_SYSCALL_INFO.
const (
	usual = "amd64-debian13bpo-newest"
	old   = "amd64-debian11-5.10"
)

// wrong returns, by recorded cell, the answers that must turn a claim red.
func wrong() map[string][]recorded.Wrong {
	value, success := recorded.Value, recorded.Success
	einval, enosys := recorded.Errno(22, "EINVAL"), recorded.Errno(38, "ENOSYS")
	return map[string][]recorded.Wrong{
		usual: {
			{"SG-005", "threads.filter", einval},           // beside kernel.seccomp.actions_avail
			{"SG-005", "threads.filter", success("0x120")}, // a thread that could not be bound
			{"SG-005", "threads.older 2", success("0x0")},
			{"SG-005", "threads.newer", success("0x0")},
			{"SG-005", "threads.tasks", value("restricted", "1")},
			{"SG-005", "threads.older 0", recorded.Errno(1, "EPERM")},
			{"SG-006", "traced.entry", value("number", "222")},
			{"SG-006", "traced.entry", value("argument 0", "0x0")},
			{"SG-006", "traced.entry", value("argument 5", "0x4444")},
			{"SG-102", "traced.exit", success("0xffffffffffffffea")}, // the error told as a value
			{"SG-102", "traced.exit", enosys},
			{"SG-007", "traced.changed", einval}, // nothing was changed
			{"SG-007", "traced.changed", success("0x0")},
			{"SG-103", "traced.set reserved", success("0x0")},
			{"SG-103", "traced.reserved", success("0x1")},
			{"SG-007", "traced.set", einval},
			{"SG-008", "listener.filter", recorded.Errno(16, "EBUSY")},
			{"SG-010", "tracefs.mount", recorded.Errno(1, "EPERM")}, // to root
			{"SG-008", "listener.getfd", recorded.Errno(1, "EPERM")},
			{"SG-008", "listener.refused", success("0x5f")}, // nobody was asked
			{"SG-008", "listener.refused", enosys},
			{"SG-104", "listener.getfd", recorded.Errno(1, "EPERM")},
			{"SG-104", "listener.replaced", success("0x5f")},
			{"SG-104", "listener.replaced", enosys},
			{"SG-008", "listener.continued", success("0x0")},
			{"SG-010", "tracefs.events", value("sched_process_fork", "false")},
			{"SG-010", "tracefs.events", value("sched_switch", "false")},
			{"SG-010", "tracefs.events", value("sched_thread_load", "true")},
		},
	}
}

func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryClaimCanFail(t, recorded.Except(Suite(), later), probe, wrong())
}

// later is the claim whose steps came after the recordings.
const later = "TR-001"

func TestSkippedCallsCanFail(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	set := func(step string) wire.Observation {
		return wire.Observation{Step: "skipped." + step, Call: "PTRACE_SET_SYSCALL_INFO", Ret: "0x0", Values: map[string]string{"next": "true"}}
	}
	right := recorded.With(tr, set("no call for value"), set("set value"), set("no call for error"), set("set error"),
		wire.Observation{Step: "skipped.value", Call: "prctl", Ret: "0x1234"},
		wire.Observation{Step: "skipped.error", Call: "prctl", Errno: 75, Error: "EOVERFLOW"},
		wire.Observation{Step: "skipped", Values: map[string]string{"exit": "0", "timedout": "false", "stderr": ""}},
	)
	recorded.EveryAnswerDecides(t, recorded.Only(Suite(), later), f, right, []recorded.Wrong{
		{Claim: later, Step: "skipped.no call for value", Change: recorded.Errno(22, "EINVAL")},
		{Claim: later, Step: "skipped.set error", Change: recorded.Errno(22, "EINVAL")},
		{Claim: later, Step: "skipped.set value", Change: recorded.Value("next", "false")},
		{Claim: later, Step: "skipped.value", Change: recorded.Success("0x0")},
		{Claim: later, Step: "skipped.value", Change: recorded.Errno(38, "ENOSYS")},
		{Claim: later, Step: "skipped.error", Change: recorded.Success("0x1234")},
		{Claim: later, Step: "skipped.error", Change: recorded.Errno(38, "ENOSYS")},
		{Claim: later, Step: "skipped", Change: recorded.Value("timedout", "true")},
	})
	hangs := recorded.Change(t, right, "skipped", recorded.Value("timedout", "true"))
	for _, step := range []string{"value", "no call for error", "set error", "error"} {
		hangs = recorded.Without(t, hangs, "skipped."+step)
	}
	if o := recorded.One(t, Suite(), later, f, hangs); o.Status != verdict.Fail {
		t.Errorf("a program that hangs: %s: %s", o.Status, o.Reason)
	}
}

func TestSilenceIsNoFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, recorded.Except(Suite(), later), usual, probe)
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"SG-005", "threads.before", recorded.Errno(1, "EPERM")},
		{"SG-102", "traced.watched", recorded.Success("0x0")},
	})
}

// TestWhatASystemLacksIsNoFault fails if a kernel is blamed for a feature that came
// later, or that its configuration leaves out.
func TestWhatASystemLacksIsNoFault(t *testing.T) {
	einval, enosys, eio, eperm := recorded.Errno(22, "EINVAL"), recorded.Errno(38, "ENOSYS"), recorded.Errno(5, "EIO"), recorded.Errno(1, "EPERM")
	recorded.Judged(t, Suite(), usual, probe, verdict.Unsupported, []recorded.Wrong{
		{"SG-005", "threads.filter", enosys},
		{"SG-008", "threads.filter", enosys},
		{"SG-006", "traced.entry", eio},
		{"SG-102", "traced.entry", eio},
		{"SG-007", "traced.entry", eio},
		{"SG-007", "traced.set", eio},
		{"SG-103", "traced.set", eio},
		{"SG-006", "traced.start", recorded.Value("error", "fork/exec /proc/self/exe: operation not permitted")},
		{"SG-008", "listener.filter", einval},
		{"SG-104", "listener.filter", enosys},
		{"SG-008", "listener.getfd", enosys},
		{"SG-104", "listener.getfd", enosys},
		{"SG-010", "tracefs.mount", recorded.Errno(19, "ENODEV")},
		{"SG-010", "tracefs.mount", func(o *wire.Observation) {
			recorded.Errno(1, "EPERM")(o)
			recorded.Value("namespace", "user:[4026532201]")(o)
		}},
	})
	f, tr := recorded.Kernel(t, old, probe)
	for _, id := range []string{"SG-007", "SG-103"} {
		if o := recorded.One(t, Suite(), id, f, tr); o.Status != verdict.Unsupported || !strings.Contains(o.Reason, "EIO") || !strings.Contains(o.Reason, "6.16") {
			t.Errorf("%s on 5.10: %+v", id, o)
		}
	}
	delete(f.Sysctls, "kernel.seccomp.actions_avail")
	if o := recorded.One(t, Suite(), "SG-005", f, recorded.Change(t, tr, "threads.filter", einval)); o.Status != verdict.Unsupported {
		t.Errorf("a kernel with CONFIG_SECCOMP alone: %+v", o)
	}
	none := uint64(0)
	f.Capabilities, f.Filtered = &none, true
	for id, step := range map[string]string{"SG-005": "threads.filter", "SG-008": "listener.getfd", "SG-010": "tracefs.mount"} {
		f.Sysctls["kernel.seccomp.actions_avail"] = "kill_process"
		if o := recorded.One(t, Suite(), id, f, recorded.Change(t, tr, step, eperm)); o.Status != verdict.Unsupported {
			t.Errorf("%s below the filter of a container: %+v", id, o)
		}
	}
}

// TestAConfinedProgramMayNotMount fails if a kernel is blamed because a security module
// refuses tracefs to the probes, or if it may refuse that for no reason that is seen.
func TestAConfinedProgramMayNotMount(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Change(t, tr, "tracefs.mount", recorded.Errno(13, "EACCES"))
	for label, want := range map[string]verdict.Status{"engine (enforce)": verdict.Unsupported, "unconfined": verdict.Fail, "": verdict.Fail} {
		f.LSMs, f.Label = []string{"capability", "apparmor"}, label
		if o := recorded.One(t, Suite(), "SG-010", f, tr); o.Status != want {
			t.Errorf("label %q: %+v", label, o)
		}
	}
}

// TestARefusedListenerIsSeen fails if a kernel that refuses a listener for no reason ends
// in an error of ours, because nothing follows that step.
func TestARefusedListenerIsSeen(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Change(t, tr, "listener.filter", recorded.Errno(16, "EBUSY"))
	for _, step := range []string{"getfd", "session", "refused", "replaced", "continued"} {
		tr = recorded.Without(t, tr, "listener."+step)
	}
	for _, id := range []string{"SG-008", "SG-104"} {
		if o := recorded.One(t, Suite(), id, f, tr); o.Status != verdict.Fail {
			t.Errorf("%s: %+v", id, o)
		}
	}
}

// TestABackPortIsJudgedLikeAnOriginal fails if the version decides and not what is seen.
func TestABackPortIsJudgedLikeAnOriginal(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	f.Release = release.Release{Major: 4, Minor: 19, Patch: 90}
	for id, o := range recorded.Judge(recorded.Except(Suite(), later), f, tr) {
		if o.Status != verdict.Pass {
			t.Errorf("%s of a kernel that calls itself 4.19: %+v", id, o)
		}
	}
}
