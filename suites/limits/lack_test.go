package limits

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// said returns an observation with values.
func said(step string, values ...string) wire.Observation {
	o := wire.Observation{Step: step, Values: map[string]string{}}
	for i := 0; i < len(values); i += 2 {
		o.Values[values[i]] = values[i+1]
	}
	return o
}

// refused returns an observation of a call that failed.
func refused(step string, errno int, name string) wire.Observation {
	return wire.Observation{Step: step, Errno: errno, Error: name}
}

// told returns a copy of a transcript with observations in place of those with the same
// step. A step that ends with * stands for all that begin so, which are left out.
func told(tr wire.Transcript, observations ...wire.Observation) wire.Transcript {
	left := slices.Clone(tr.Observations)
	for _, o := range observations {
		prefix, all := strings.CutSuffix(o.Step, "*")
		left = slices.DeleteFunc(left, func(was wire.Observation) bool {
			return was.Step == o.Step || all && strings.HasPrefix(was.Step, prefix)
		})
		if !all {
			left = append(left, o)
		}
	}
	tr.Observations = left
	return tr
}

// status returns the claims of a suite's outcomes with a status, sorted.
func status(outcomes map[string]verdict.Outcome, want verdict.Status) string {
	ids := slices.DeleteFunc(slices.Sorted(maps.Keys(outcomes)), func(id string) bool { return outcomes[id].Status != want })
	return strings.Join(ids, " ")
}

// TestWhatASystemLacksIsNoFault fails if a kernel is accused, or the tests, because its
// configuration or a policy of the system leaves something out.
func TestWhatASystemLacksIsNoFault(t *testing.T) {
	for name, tc := range map[string]struct {
		shown       []wire.Observation
		unsupported string
		fail        string
	}{
		"no user namespaces": {
			shown: []wire.Observation{
				refused("allowed.user.clone", 22, "EINVAL"), refused("allowed.root.clone", 22, "EINVAL"), refused("userns.plain", 22, "EINVAL"),
				refused("userns.refused", 22, "EINVAL"), refused("userns.zero.clone", 22, "EINVAL"), said("nproc.usersns.in.*"), said("nproc.rootsns.*"),
			},
			unsupported: "CL-102 CL-103 CL-104 LM-004 LM-103 LM-104", fail: "CL-018",
		},
		"no user namespaces, seen by an older probe": {
			shown:       []wire.Observation{said("allowed.*"), refused("userns.plain", 22, "EINVAL"), said("nproc.usersns.in.*"), said("nproc.rootsns.*")},
			unsupported: "CL-102 CL-103 CL-104 LM-004 LM-103 LM-104", fail: "CL-018",
		},
		"a module forbids users a namespace": {
			shown: []wire.Observation{refused("allowed.user.clone", 13, "EACCES"), {Step: "allowed.root.clone", Ret: "0x63"},
				refused("userns.plain", 13, "EACCES"), refused("userns.refused", 13, "EACCES"), said("nproc.usersns.in.*")},
			unsupported: "CL-102 CL-103 CL-104 LM-004 LM-103", fail: "CL-018",
		},
		"no PID namespaces": {
			shown:       []wire.Observation{refused("deadns.unshare", 22, "EINVAL"), {Step: "deadns.fork", Ret: "0x63"}, said("pidns.child*")},
			unsupported: "CL-017 CL-101 LM-008",
		},
		"no pids controller": {
			shown:       []wire.Observation{said("pids.where", "version", "absent"), said("pids.*"), said("pids.where", "version", "absent"), refused("v1.mount", 2, "ENOENT"), said("v1.pids.*")},
			unsupported: "LM-009 LM-010 LM-011 LM-012 LM-013 LM-014 LM-110 LM-111 LM-112 LM-113",
		},
		"pids controller in version 1": {
			shown:       []wire.Observation{said("pids.where", "version", "1", "root", "/sys/fs/cgroup/pids"), refused("v1.mount", 16, "EBUSY"), said("v1.pids.*")},
			unsupported: "LM-013 LM-112 LM-113",
		},
		"no memory controller": {
			shown:       []wire.Observation{said("memory.*"), said("memory.where", "version", "absent")},
			unsupported: "LM-022",
		},
		"control groups that nobody may make": {
			shown: []wire.Observation{said("pids.*"), said("pids.where", "version", "2", "root", "/sys/fs/cgroup"), said("memory.*"), said("memory.where", "version", "2", "root", "/sys/fs/cgroup"),
				said("pids", "exit", "2", "stderr", "panic: mkdir /sys/fs/cgroup/limits-leaf: permission denied\n\ngoroutine 1 [running]:"),
				said("memory", "exit", "2", "stderr", "panic: mkdir /sys/fs/cgroup/limits-memory: read-only file system\n\ngoroutine 1 [running]:")},
			unsupported: "LM-009 LM-010 LM-011 LM-012 LM-014 LM-022 LM-110 LM-111 LM-112",
		},
		"no time for SCHED_DEADLINE": {
			shown:       []wire.Observation{refused("deadline.set", 16, "EBUSY"), refused("deadline.reset", 16, "EBUSY"), {Step: "deadline.clone", Ret: "0x63"}},
			unsupported: "LM-026 LM-122",
		},
		"no quiet moment": {
			shown:       []wire.Observation{said("threadsmax.refused"), said("threadsmax.disturbed", "attempts", "90", "drifts", "4")},
			unsupported: "LM-006 LM-107",
		},
		"sysctls that cannot be written": {
			shown: []wire.Observation{said("threadsmax.*"), said("threadsmax", "absent", "read-only file system"), said("pidmax.*"), said("pidmax", "absent", "read-only file system"),
				said("mapcount.*"), said("mapcount", "absent", "read-only file system"), said("overcommit.*"), said("overcommit", "absent", "read-only file system"),
				said("pidns.*"), said("pidns", "absent", "read-only file system"), said("userns.*"), said("userns", "absent", "read-only file system"), {Step: "allowed.user.clone", Ret: "0x63"}, {Step: "allowed.root.clone", Ret: "0x63"}},
			unsupported: "CL-018 CL-102 CL-103 CL-104 LM-006 LM-007 LM-008 LM-020 LM-021 LM-106 LM-107 LM-108 LM-109 LM-115 LM-116 LM-117 LM-118 LM-119 LM-120 LM-123 LM-124 LM-125",
		},
	} {
		f, tr := recorded.Kernel(t, usual, probe)
		outcomes := recorded.Judge(recorded.Except(Suite(), later...), f, told(tr, tc.shown...))
		if got := status(outcomes, verdict.Unsupported); got != tc.unsupported {
			t.Errorf("%s: %q do not apply, want %q", name, got, tc.unsupported)
		}
		if got := status(outcomes, verdict.Fail); got != tc.fail {
			t.Errorf("%s: %q fail, want %q", name, got, tc.fail)
		}
		if got := status(outcomes, verdict.Error); got != "" {
			t.Errorf("%s: %q are errors", name, got)
		}
	}
}

// TestWhatNobodyCanBeBlamedForIsNoExcuse fails if an answer that no configuration gives
// makes a claim not apply.
func TestWhatNobodyCanBeBlamedForIsNoExcuse(t *testing.T) {
	for name, tc := range map[string]struct {
		shown []wire.Observation
		claim string
	}{
		"a kernel that counts threads wrongly": {[]wire.Observation{said("threadsmax.refused"), said("threadsmax.disturbed", "attempts", "90", "drifts", "1")}, "LM-006"},
		"another error for a namespace":        {[]wire.Observation{refused("allowed.user.clone", 11, "EAGAIN")}, "CL-103"},
		"another error for the policy":         {[]wire.Observation{refused("deadline.set", 11, "EAGAIN")}, "LM-026"},
	} {
		f, tr := recorded.Kernel(t, usual, probe)
		if got := recorded.Judge(Suite(), f, told(tr, tc.shown...))[tc.claim]; got.Status != verdict.Error {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAConfinedProgramMayNotMount fails if a kernel is blamed for the security module that
// refuses a mount, or if one is excused that refuses it without such a module.
func TestAConfinedProgramMayNotMount(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = told(tr, refused("v1.mount", 13, "EACCES"), said("v1.pids.*"))
	for label, want := range map[string]verdict.Status{"engine (enforce)": verdict.Unsupported, "unconfined": verdict.Error, "": verdict.Error} {
		f.LSMs, f.Label = []string{"capability", "apparmor"}, label
		o := recorded.Judge(Suite(), f, tr)["LM-013"]
		if said := "AppArmor as " + label; o.Status != want || want == verdict.Unsupported && !strings.Contains(o.Reason, said) {
			t.Errorf("label %q: %+v", label, o)
		}
	}
}

// TestOldKernelsAreNotAskedForWhatCameLater fails if 4.19 is blamed for its heuristic of
// overcommit or for its least kernel.threads-max.
func TestOldKernelsAreNotAskedForWhatCameLater(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	old := told(tr, refused("overcommit.0.fits.plain", 12, "ENOMEM"), refused("threadsmax.one", 22, "EINVAL"), wire.Observation{Step: "threadsmax.one.clone", Ret: "0x63"},
		wire.Observation{Step: "threadsmax.twenty", Ret: "0x0"}, refused("threadsmax.twenty.clone", 11, "EAGAIN"))
	for _, tc := range []struct {
		release           release.Release
		heuristic, lowest verdict.Status
	}{
		{release.Release{Major: 4, Minor: 19, Patch: 79}, verdict.Unsupported, verdict.Unsupported},
		{release.Release{Major: 4, Minor: 19, Patch: 90}, verdict.Unsupported, verdict.Fail},
		{release.Release{Major: 5, Minor: 3, Patch: 5}, verdict.Fail, verdict.Unsupported},
		{release.Release{Major: 5, Minor: 4}, verdict.Fail, verdict.Fail},
	} {
		f.Release = tc.release
		outcomes := recorded.Judge(Suite(), f, old)
		for id, want := range map[string]verdict.Status{"LM-020": verdict.Pass, "LM-106": verdict.Pass, "LM-124": tc.heuristic, "LM-123": tc.lowest} {
			if got := outcomes[id]; got.Status != want {
				t.Errorf("%s on %s: %+v, want %s", id, tc.release, got, want)
			}
		}
	}
	ignored := told(old, wire.Observation{Step: "threadsmax.twenty.clone", Ret: "0x63"})
	if got := recorded.Judge(Suite(), f, ignored)["LM-106"]; got.Status != verdict.Fail {
		t.Errorf("20 is ignored: %+v", got)
	}
}

// TestMemoryBeyondTheLimitOfAGroupIsAFault fails if a kernel that keeps no group to its
// memory.max is an error of the tests.
func TestMemoryBeyondTheLimitOfAGroupIsAFault(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for memory, want := range map[string]verdict.Status{"99999999": verdict.Fail, "4096": verdict.Error} {
		survived := told(tr, said("memory.child", "exit", "0", "stderr", "", "timedout", "false"), said("memory.child.survived", "threads", "3007", "memory", memory))
		if got := recorded.Judge(Suite(), f, survived)["LM-022"]; got.Status != want {
			t.Errorf("a process with %s bytes survives: %+v, want %s", memory, got, want)
		}
	}
}
