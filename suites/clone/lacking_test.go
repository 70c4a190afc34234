package clone

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// everyClone3 returns a transcript in which clone3 answers the same to everything.
func everyClone3(tr wire.Transcript, number int, name string) wire.Transcript {
	var answers []recorded.Answer
	for _, o := range tr.Observations {
		if strings.HasPrefix(o.Step, in+"clone3 ") || strings.HasPrefix(o.Step, "clone3") && o.Call != "" && o.Step != "clone3.group" {
			answers = append(answers, recorded.Fails(o.Step, number, name))
		}
	}
	return answered(tr, answers...)
}

// made has the answers of a right kernel to steps that an older recording lacks.
func made() []recorded.Answer {
	eagain := func(step string) recorded.Answer { return recorded.Fails(step, 11, "EAGAIN") }
	answers := recorded.All(
		eagain("dry.exit signal, the last"), recorded.Fails("dry.every flag", 22, "EINVAL"),
		eagain("dry.clone3 size of a page"), recorded.Fails("dry.clone3 size of a page and 8", 7, "E2BIG"),
		recorded.Fails("dry.clone3 without a struct", 14, "EFAULT"), eagain("dry.clone3 into_cgroup"),
		eagain("dry.clone3 pidfd of a thread"), eagain("dry.clone3 nnp"),
		recorded.Fails("dry.exit signal 128", 22, "EINVAL"), recorded.Fails("dry.exit signal 129", 22, "EINVAL"),
		recorded.Fails("dry.clone3 autokill alone", 22, "EINVAL"), eagain("dry.clone3 autokill"), eagain("dry.clone3 empty_mntns"),
		recorded.Fails("namespaces.ipc with sysvsem", 22, "EINVAL"),
		recorded.Fails("clone3.set_tid in use", 17, "EEXIST"), recorded.Succeeds("clone3.group", "0x0"),
		recorded.Fails("clone3.into_cgroup of a device", 9, "EBADF"), recorded.Fails("clone3.into_cgroup of no file", 9, "EBADF"),
	)
	for step, seen := range seen() {
		answers = append(answers, recorded.Succeeds(step, "0x63"))
		for key, value := range seen {
			answers = append(answers, recorded.Shows(step, key, value))
		}
	}
	return answers
}

// seen has what the probe sees of real children, by step.
func seen() map[string]map[string]string {
	fd := map[string]string{"stored": "true", "cloexec": "true", "refers": "true"}
	thread := map[string]string{"parent-tid": "true", "on-stack": "true", "cleared": "true"}
	steps := map[string]map[string]string{
		"pidfd of a child": fd, "clone3.pidfd": fd,
		"libc.glibc": thread, "libc.musl": thread, "clone3 libc.thread": thread,
		"clone3.stack": {"on-stack": "true"}, "clone3.tids": {"parent-tid": "true", "child-tid": "true"},
		"clone3.sighand": {"caught": "true"}, "clone3.clear_sighand": {"caught": "false"},
		"libc.tls": {"given": "0x7000", "register": "0x7000"}, "clone3.tls": {"given": "0x7000", "register": "0x7000"},
		"clone3.set_tid": {"chosen": "true"}, "clone3.into_cgroup": {"inside": "true"},
	}
	for _, kind := range []string{"mnt", "cgroup", "uts", "ipc", "user", "pid", "net"} {
		steps["namespaces."+kind] = map[string]string{"has": "true", "new": "true"}
	}
	return steps
}

// untraced is the answer where ptrace is forbidden.
func untraced(step string) recorded.Answer {
	return recorded.Answer{Step: step, Change: func(o *wire.Observation) {
		delete(o.Values, "register")
		o.Unknown = map[string]string{"register": "PTRACE_ATTACH: operation not permitted"}
	}}
}

// kernel returns the recording with those answers.
func kernel(t *testing.T) (facts.Facts, wire.Transcript) {
	t.Helper()
	f, tr := recorded.Kernel(t, usual, probe)
	tr = answered(tr, made()...)
	for i, o := range tr.Observations {
		if o.Call == "" && (o.Errno != 0 || o.Ret != "") {
			tr.Observations[i].Call = "a call"
		}
	}
	return f, tr
}

// TestEveryWrongChildFailsAClaim changes one thing at a time that a real child shows.
func TestEveryWrongChildFailsAClaim(t *testing.T) {
	f, tr := kernel(t)
	failed := map[string]bool{}
	fails := func(what string, answer recorded.Answer) {
		t.Helper()
		ids := recorded.Red(recorded.Judge(Suite(), f, answered(tr, answer)))
		if len(ids) == 0 {
			t.Errorf("%s: %s, and no claim fails", answer.Step, what)
		}
		for _, id := range ids {
			failed[id] = true
		}
	}
	for step, values := range seen() {
		fails("no child", recorded.Fails(step, 95, "EOPNOTSUPP"))
		for key, value := range values {
			other := map[string]string{"true": "false", "false": "true", "0x7000": "0x0"}[value]
			if key != "has" { // what the kernel does not have it must refuse
				fails(key+" is "+other, recorded.Shows(step, key, other))
			}
		}
	}
	fails("absent and accepted", recorded.Shows("namespaces.net", "has", "false"))
	for _, step := range []string{"clone3.set_tid in use", "clone3.into_cgroup of a device", "clone3.into_cgroup of no file", "namespaces.ipc with sysvsem"} {
		fails("another error", recorded.Fails(step, 95, "EOPNOTSUPP"))
		fails("a child", recorded.Succeeds(step, "0x63"))
	}
	for _, c := range slices.Concat(realClaims(), realClone3Claims(), tlsClaims()[:2]) {
		if !failed[c.ID] {
			t.Errorf("%s fails for no wrong child", c.ID)
		}
	}
}

// TestWhatAKernelLacksIsNotHeldAgainstIt judges the answers of pristine kernels, and of
// systems behind a filter. Each must break nothing, and say what it lacks. What is wrong
// on top of that must still fail.
func TestWhatAKernelLacksIsNotHeldAgainstIt(t *testing.T) {
	f, tr := kernel(t)
	legacy := recorded.All(
		recorded.Fails("dry.pidfd with detached", 11, "EAGAIN"), recorded.Fails("dry.pidfd with parent_settid", 11, "EAGAIN"),
		recorded.Fails("dry.pidfd of a thread", 11, "EAGAIN"),
		recorded.Fails("dry.exit signal after the last", 11, "EAGAIN"), recorded.Fails("dry.exit signal 255", 11, "EAGAIN"),
		recorded.Fails("dry.exit signal 128", 11, "EAGAIN"), recorded.Fails("dry.exit signal 129", 11, "EAGAIN"),
		recorded.Shows("pidfd of a child", "stored", "false"),
	)
	v0 := recorded.All(
		recorded.Fails("dry.clone3 set_tid without size", 7, "E2BIG"), recorded.Fails("dry.clone3 size without set_tid", 7, "E2BIG"),
		recorded.Fails("dry.clone3 set_tid_size 33", 7, "E2BIG"), recorded.Fails("dry.clone3 clear_sighand", 22, "EINVAL"),
		recorded.Fails("dry.clone3 newtime", 22, "EINVAL"), recorded.Fails("dry.clone3 into_cgroup", 22, "EINVAL"),
		recorded.Fails("dry.clone3 autoreap", 22, "EINVAL"), recorded.Fails("dry.clone3 nnp", 22, "EINVAL"),
		recorded.Fails("dry.clone3 autokill", 22, "EINVAL"), recorded.Fails("dry.clone3 empty_mntns", 22, "EINVAL"),
		recorded.Fails("dry.clone3 pidfd of a thread", 22, "EINVAL"), recorded.Fails("dry.pidfd of a thread", 22, "EINVAL"),
		recorded.Fails("dry.exit signal after the last", 11, "EAGAIN"), recorded.Fails("dry.exit signal 255", 11, "EAGAIN"),
		recorded.Fails("dry.exit signal 128", 11, "EAGAIN"), recorded.Fails("dry.exit signal 129", 11, "EAGAIN"),
	)
	old, v54 := release.Release{Major: 4, Minor: 19, Patch: 90}, release.Release{Major: 5, Minor: 4, Patch: 286}
	const (
		ofClone3 = "CL-011 CL-012 CL-013 CL-014 CL-015 CL-020 CL-022 CL-024 CL-025 CL-026 CL-027 CL-028 CL-030 CL-031 CL-032 CL-033 CL-035 CL-039 CL-040 CL-042 CL-043 CL-044 CL-045 "
		newer    = "CL-022 CL-024 CL-025 CL-031 CL-032 CL-033 " // than the first clone3
		ofPidFD  = "CL-008 CL-009 CL-029 CL-030 "
		// elsewhere are the claims of other architectures.
		elsewhere = "CL-046 CL-047"
	)
	for name, tc := range map[string]struct {
		release  release.Release
		filtered bool
		tr       wire.Transcript
		lacking  string // claims that do not apply
		failing  string
	}{
		"4.19":                                   {old, false, answered(everyClone3(tr, 38, "ENOSYS"), legacy...), ofClone3 + ofPidFD, ""},
		"5.4":                                    {v54, false, answered(tr, v0...), newer, ""},
		"a filter":                               {f.Release, true, everyClone3(tr, 1, "EPERM"), ofClone3 + "CL-023", ""},
		"a filter that answers as a kernel does": {f.Release, true, everyClone3(tr, 38, "ENOSYS"), ofClone3 + "CL-023", ""},
		"a filter of namespaces": {f.Release, true, answered(tr, recorded.Fails("dry.newns with fs", 1, "EPERM"),
			recorded.Fails("namespaces.uts", 1, "EPERM"), recorded.Fails("namespaces.ipc with sysvsem", 1, "EPERM")), "CL-007 CL-036 CL-037", ""},
		"no PID namespaces": {f.Release, false, answered(tr, recorded.Fails("newpid.unshare", 22, "EINVAL"),
			recorded.Fails("namespaces.pid", 22, "EINVAL"), recorded.Shows("namespaces.pid", "has", "false")), "CL-016", ""},
		"user.max_net_namespaces is 0": {f.Release, false, answered(tr, recorded.Fails("namespaces.net", 28, "ENOSPC")), "", ""},
		"no control groups":            {f.Release, false, answered(tr, recorded.Fails("clone3.group", 13, "EACCES")), "CL-032 CL-033", ""},
		"4.19 that lacks the call for most forms": {old, false,
			answered(everyClone3(tr, 38, "ENOSYS"), append(legacy, recorded.Fails("dry.clone3 size 0", 22, "EINVAL"))...), ofClone3 + ofPidFD, "CL-023"},
		"EPERM without a filter":      {f.Release, false, everyClone3(tr, 1, "EPERM"), "", ofClone3},
		"ENOSYS for what is newer":    {f.Release, false, answered(tr, recorded.Fails("dry.clone3 bit 63", 38, "ENOSYS")), "", "CL-044 CL-023"},
		"a bit that excludes nothing": {f.Release, false, answered(tr, legacy[:2]...), "", "CL-008"},
	} {
		f.Release, f.Filtered = tc.release, tc.filtered
		for id, o := range recorded.Judge(Suite(), f, tc.tr) {
			if failed, want := o.Status == verdict.Fail, strings.Contains(tc.failing, id); failed != want {
				t.Errorf("%s: %s: %s: %s", name, id, o.Status, o.Reason)
			}
			if lacks, want := o.Status == verdict.Unsupported, strings.Contains(tc.lacking+elsewhere, id); lacks != want {
				t.Errorf("%s: %s: %s: %s", name, id, o.Status, o.Reason)
			}
		}
	}
}

// TestThreadRegistersOfOtherArchitectures fails if a wrong register passes, or if a system
// that forbids ptrace fails.
func TestThreadRegistersOfOtherArchitectures(t *testing.T) {
	f, tr := recorded.Kernel(t, "arm64-debian13-6.12-16k", probe)
	tr = answered(tr, made()...)
	for i := range tr.Observations {
		if tr.Observations[i].Call == "" && tr.Observations[i].Ret != "" {
			tr.Observations[i].Call = "a call"
		}
	}
	for id, step := range map[string]string{"CL-046": "libc.tls", "CL-047": "clone3.tls"} {
		for want, tr := range map[verdict.Status]wire.Transcript{
			verdict.Pass:        tr,
			verdict.Fail:        answered(tr, recorded.Shows(step, "register", "0x0")),
			verdict.Unsupported: answered(tr, untraced(step)),
		} {
			if o := recorded.One(t, Suite(), id, f, tr); o.Status != want {
				t.Errorf("%s: %s, want %s: %s", id, o.Status, want, o.Reason)
			}
		}
	}
}
