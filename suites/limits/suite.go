// Package limits claims what the kernel answers when one more process, thread,
// namespace or mapping would exceed a limit, and that it recovers.
package limits

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the probe that every claim here reads.
const probe = "threadlimits"

// Suite returns the claims of this suite.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "limits", Prefix: "LM", Floor: 20, Probe: probe,
		About: claim.Text{
			English: "What the kernel answers when one more process, thread, namespace or mapping would exceed a limit, and that it recovers.",
			Chinese: "再多一个进程、线程、namespace 或映射就会超出限制时，内核如何应答，以及之后能否恢复。",
		},
	}.Join(infinityClaims(), processClaims(), exemptionClaims(), namespaceClaims(), userNamespaceClaims(),
		threadsMaxClaims(), pidMaxClaims(), groupClaims(), nestedGroupClaims(),
		memoryClaims(), commitClaims(), mapCountClaims(), deadlineClaims())
}

// errno expects the call of a step to have failed with an error.
func errno(g gomega.Gomega, f facts.Facts, o claim.Observation, name string) {
	expect.Errno(g, expect.Table(f), o, name)
}

// count expects a number that the probe counted.
func count(g gomega.Gomega, o claim.Observation, key string, want int) {
	g.Expect(o.Int(key)).To(gomega.Equal(want), "%s of step %s", key, o.Step)
}

// prepared returns the step that sets a limit. It stops the check if that failed:
// what follows would be about another limit.
func prepared(t claim.Transcript, step string) claim.Observation {
	o := t.Step(step)
	o.Result()
	return o
}

// unless stops the check if a circumstance makes the answers meaningless.
func unless(circumstance bool, o claim.Observation, key, reason string) {
	if circumstance {
		panic(claim.Missing{Probe: probe, Step: o.Step, Value: key, Reason: reason})
	}
}

// recovers expects that exactly one more is possible after one has gone.
func recovers(g gomega.Gomega, t claim.Transcript, f facts.Facts, prefix, name string) {
	errno(g, f, t.Step(prefix+"refused"), name)
	again := t.Step(prefix + "again")
	expect.OK(g, again)
	g.Expect(again.Result()).To(gomega.BeNumerically(">", 0), "the ID of the process that took the free place")
	errno(g, f, t.Step(prefix+"full"), name)
}

// lived expects that every child lived until it was killed. A limit that was
// reached by dead processes would be no limit.
func lived(g gomega.Gomega, t claim.Transcript, step string) {
	o := t.Step(step)
	g.Expect(o.Int("children")).To(gomega.BeNumerically(">", 0), "children at the end of step %s", step)
	count(g, o, "killed", o.Int("children"))
}

// refusals expects the same error from each of some steps.
func refusals(g gomega.Gomega, t claim.Transcript, f facts.Facts, prefix, name string, steps ...string) {
	for _, step := range steps {
		errno(g, f, t.Step(prefix+step), name)
	}
}

// successes expects each of some steps to succeed and to read back what it wrote.
func successes(g gomega.Gomega, t claim.Transcript, prefix string, steps ...string) {
	for _, step := range steps {
		o := t.Step(prefix + step)
		expect.OK(g, o)
		for _, key := range []string{"first", "last"} {
			if o.Has(key) {
				g.Expect(o.Value(key)).To(gomega.Equal("ok"), "%s byte of step %s", key, o.Step)
			}
		}
	}
}
