// Package clone claims how clone and clone3 validate their flags and arguments, and what they
// make of them.
package clone

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the probe that all claims of this suite read.
const probe = "cloneflags"

// Suite returns the claims.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "clone", Prefix: "CL", Floor: 10, Probe: probe,
		About: claim.Text{
			English: "How clone and clone3 validate their flags and arguments, and what they make of them.",
			Chinese: "clone 和 clone3 如何校验标志与参数，以及据此创建什么。",
		},
	}.Join(legacyClaims(), namespaceClaims(), clone3Claims(), realClaims(), realClone3Claims(), tlsClaims())
}

// The two answers of a call that cannot succeed, because the limit is 0 processes.
// Either the flags were accepted and the limit refused the call, or the flags were
// refused first (copy_process in kernel/fork.c checks in this order).
const (
	accepted = "EAGAIN"
	refused  = "EINVAL"
)

// later returns the answers besides success to a call that no limit refuses, although its
// flags are accepted: what is asked for is looked at after the flags.
func later(step string) []string {
	switch step {
	case "pidfd of a thread", "clone3 pidfd of a thread", "clone3 autokill":
		return []string{"EFAULT"} // no descriptor can be stored at the address
	case "clone3 into_cgroup":
		return []string{"EBADF"} // the descriptor is no control group
	case "clone3 newtime", "clone3 empty_mntns":
		return []string{"EPERM"} // a new namespace needs a right
	}
	return nil
}

// want holds the error that each step must end with, by step.
type want map[string]string

// in is the prefix of the steps that ran under the limit.
const in = "dry."

// answers makes a check of the errors that steps must end with. The steps ran
// without a process to spare, or made a child where no limit could be set.
func answers(steps func(facts.Facts) want) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts) {
		for _, step := range sorted(steps(f)) {
			meets(g, t, a, in, step.name, step.errno)
		}
	})
}

// meets expects an error of a step. Where no limit was in force, flags that are accepted
// make a child.
func meets(g gomega.Gomega, t claim.Transcript, a abi.Table, prefix, step, errno string) {
	o := t.Step(prefix + step)
	if limited(t, prefix) || errno != accepted {
		expect.Errno(g, a, o, errno)
		return
	}
	if allowed := later(step); allowed == nil {
		expect.OK(g, o)
	} else {
		g.Expect(o.Error).To(gomega.BeElementOf(append(allowed, "")), "step %s: %s", o.Step, o.Call)
	}
}

// always returns the same expectation for every kernel.
func always(w want) func(facts.Facts) want { return func(facts.Facts) want { return w } }

// since returns the answer of a kernel that has a feature, or of one without it.
func since(has bool, with, without string) string {
	if has {
		return with
	}
	return without
}

// limited reports whether the limit was in force: without it, EAGAIN means something
// else. Where the probe could not become a user without processes, a process that could
// be made shows that there was none. The check stops if neither is so.
func limited(t claim.Transcript, prefix string) bool {
	if t.Step(prefix + "limit").OK() {
		return true
	}
	if !t.Step(prefix + "process").OK() {
		t.Step(prefix + "limit").Result()
	}
	return false
}

// hasClone3 excludes architectures whose table of system calls has no clone3.
func hasClone3(a abi.Table) string {
	if a.Syscall.Clone3 == 0 {
		return "the architecture's system call table has no clone3"
	}
	return ""
}
