package goruntime

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// unknown returns an observation of which one value could not be determined.
func unknown(step, key, why string) recorded.Answer {
	return recorded.Answer{Step: step, Change: func(o *wire.Observation) {
		*o = wire.Observation{Step: o.Step, Unknown: map[string]string{key: why}}
	}}
}

// lacks returns a cause of which the probe says that it is absent.
func lacks(cause, why string) recorded.Answer {
	return recorded.Answer{Step: cause, Change: func(o *wire.Observation) {
		o.Values = map[string]string{"absent": why}
		o.Unknown = map[string]string{"watched": why}
	}}
}

// untried returns a cause that a security module does not let the probe bring about.
func untried(cause string) recorded.Answer {
	return unknown(cause, "watched", "not tried: mkdir /sys/fs/cgroup/newosproc: permission denied")
}

const (
	noController = `/sys/fs/cgroup/cgroup.controllers has "cpu", without it`
	noCalls      = "PTRACE_GET_SYSCALL_INFO answers EIO, and the places of a call in the registers of sw64 are not known"
)

// untraced are the answers of a kernel whose calls no tracer can read.
func untraced() (answers []recorded.Answer) {
	causes := append(limits(), "lifted")
	for _, name := range refusals() {
		causes = append(causes, filter(name))
	}
	for _, cause := range causes {
		answers = append(answers, unknown(cause+".clone", "refused", noCalls))
	}
	for _, program := range []string{"chain", "strict", "fallback"} {
		answers = append(answers, unknown(program+".clone", "calls", noCalls))
	}
	return answers
}

// unfiltered are the answers of a kernel without seccomp filters.
func unfiltered() (answers []recorded.Answer) {
	for _, name := range refusals() {
		answers = append(answers, becomes(filter(name)+".limit", 38, "ENOSYS"), recorded.Succeeds(filter(name)+".clone", "0x63"), fine(filter(name)))
	}
	return append(answers, becomes("clone3.filter", 38, "ENOSYS"))
}

// TestWhatASystemLacksDoesNotApply fails if a claim accuses a kernel, or the tests, of
// what the system does not have, or if more claims than those are lost by it.
func TestWhatASystemLacksDoesNotApply(t *testing.T) {
	const inject = "inject: install the seccomp filter: errno 38 ENOSYS; it needs root and CONFIG_SECCOMP_FILTER\n"
	for _, tc := range []struct {
		name, probe, says string
		answers           []recorded.Answer
		lost              string
	}{
		{"no pids controller", probe, "without it", all(lacks("pids", noController), lacks("nested", noController)), "GR-114 GR-115"},
		{"no memory controller", probe, "without it", all(lacks("memory", noController)), "GR-107 GR-116"},
		{"groups that nobody may make", probe, "permission denied", all(untried("pids"), untried("nested"), untried("memory")), "GR-107 GR-114 GR-115 GR-116"},
		{"sysctls that nobody may write", probe, "", all(untried("threads-max"), untried("pid_max"), untried("max_map_count")), ""},
		{"no max_map_count", probe, "", all(lacks("max_map_count", "/proc/sys/vm/max_map_count does not exist")), ""},
		{"no filters", probe, "answers ENOSYS", unfiltered(), "GR-007 GR-103 IN-006 IN-007"},
		{"no description of calls", probe, noCalls, untraced(), "GR-003 GR-004 GR-005 GR-009 GR-010 GR-011 GR-018 GR-103 GR-104 GR-105 GR-109 GR-113 IN-005"},
		{"no injection", variants, "CONFIG_SECCOMP_FILTER", all(shows("stack-eperm.stock", "exit", injection), shows("stack-eperm.stock", "stderr", inject)),
			"GR-111 GR-112 IN-002 IN-003 IN-004 IN-008"},
		{"no stack pointers", variants, "/proc/self/syscall", all(unknown("none.stock.generation 0", "found", "open /proc/self/syscall: no such file or directory")),
			"GR-110 IN-002 IN-003 IN-008"},
	} {
		f, tr := recorded.Kernel(t, usual, tc.probe)
		lost := strings.Fields(tc.lost)
		for id, o := range recorded.Judge(recorded.Of(older(), tc.probe), f, recorded.Answered(t, tr, tc.answers...)) {
			if id == "GR-014" {
				continue // the recordings are older than what it reads
			}
			want := verdict.Pass
			if slices.Contains(lost, id) {
				want = verdict.Unsupported
			}
			if o.Status != want || want == verdict.Unsupported && (o.Feature == "" || !strings.Contains(o.Reason, tc.says)) {
				t.Errorf("%s: %s is %s, want %s: %s", tc.name, id, o.Status, want, o.Reason)
			}
		}
	}
}

// TestAKernelThatCannotBeAskedIsJudgedByTheProgram fails if a limit that is ignored, or
// another error, passes where no tracer can read the answer of clone.
func TestAKernelThatCannotBeAskedIsJudgedByTheProgram(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for name, tc := range map[string]struct {
		answers []recorded.Answer
		want    verdict.Status
	}{
		"as it is":           {nil, verdict.Pass},
		"another errno":      {all(says("threads-max", first+"12)\n"+fatal)), verdict.Fail},
		"errno of alpha":     {all(says("pid_max", first+"35)\n"+hint+fatal)), verdict.Fail},
		"the limit is no":    {all(fine("nproc"), says("nproc", "")), verdict.Fail},
		"it says nothing":    {all(says("nproc", "")), verdict.Error},
		"it was not limited": {all(becomes("nproc.limit", 1, "EPERM")), verdict.Error},
	} {
		if o := recorded.One(t, Suite(), "GR-101", f, recorded.Answered(t, tr, append(untraced(), tc.answers...)...)); o.Status != tc.want {
			t.Errorf("%s: %s, want %s: %s", name, o.Status, tc.want, o.Reason)
		}
	}
}

// TestAFaultOfTheProbesIsNoLack fails if an injector that fails, or a tracer that was
// not allowed, is taken for a kernel that lacks something.
func TestAFaultOfTheProbesIsNoLack(t *testing.T) {
	recorded.Judged(t, recorded.Of(older(), probe), usual, probe, verdict.Error, []recorded.Wrong{
		{"GR-009", "nproc.clone", unknown("", "refused", "start the program: operation not permitted").Change},
		{"GR-103", "seccomp EAGAIN.limit", recorded.Errno(1, "EPERM")},
		{"GR-114", "pids", unknown("", "watched", "not tried: write +pids: device or resource busy").Change},
	})
	recorded.Judged(t, recorded.Of(Suite(), variants), usual, variants, verdict.Error, []recorded.Wrong{
		{"IN-008", "stack-eperm.stock", func(o *wire.Observation) {
			o.Values["exit"], o.Values["stderr"] = injection, "inject: thread 7: PTRACE_SETREGSET: EIO\n"
		}},
		{"GR-110", "none.strict.generation 0", unknown("", "found", "open /proc/self/maps: permission denied").Change},
	})
}
