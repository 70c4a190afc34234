// Package goruntime claims what becomes of a Go program that gets no more threads,
// and by which calls the Go runtime makes one. What the kernel answers is a MUST.
// What the runtime makes of it is a SHOULD: another release of Go may behave
// otherwise, and no kernel is to blame.
package goruntime

import (
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// probe is the probe that most claims here read.
const probe = "newosproc"

// full is the error of clone at every limit of processes and threads.
const full = "EAGAIN"

// The reasons why no defect model makes a claim of this suite fail.
const (
	tracesItself  = "the probe traces the Go runtime's calls itself, and a thread has one tracer; changed answers turn it red in suites/goruntime"
	injectsItself = "the probe injects defects itself, and a thread has one tracer; changed answers turn it red in suites/goruntime"
	leftAlone     = "poc/inject leaves the calls of the Go runtime alone"
	ofRuntime     = leftAlone + "; changed answers turn it red in suites/goruntime"
)

// Suite returns the claims of this suite. The texts of failed mmap calls
// (GR-016) and programs with cgo (GR-017) have no claim yet.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "goruntime", Prefix: "GR", Floor: 8, Probe: probe,
		Unmodelled: leftAlone,
		About: claim.Text{
			English: "What becomes of a Go program that gets no more threads, and by which calls the Go runtime makes one.",
			Chinese: "得不到更多线程的 Go 程序会怎样，以及 Go 运行时以哪些系统调用创建线程。",
		},
	}.Join(startupClaims(), refusalClaims(), textClaims(), memoryClaims(), chainClaims(), threadClaims(), variantClaims(), flagClaims(), nameClaims())
}

// told makes a check of one that needs a runtime which notices that clone failed:
// the stock runtime, or a mended one where the stock one does not.
func told(check func(gomega.Gomega, claim.Transcript, facts.Facts)) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
		o := t.Step("runtime")
		if expect.Table(f).GoLosesCloneError && o.Value("mended") != "true" {
			panic(claim.Missing{Probe: probe, Step: o.Step, Value: "mended", Reason: "the guest has no runtime that notices it"})
		}
		check(g, t, f)
	}
}

// limits returns the causes for which the kernel has no room for another thread.
func limits() []string { return []string{"nproc", "pids", "nested", "threads-max", "pid_max"} }

// refusals returns the errors that filters answer instead of the kernel; the first
// is full.
func refusals() []string {
	return []string{full, "ENOMEM", "EPERM", "EINVAL", "ENOSYS", "EOPNOTSUPP"}
}

func filter(name string) string { return "seccomp " + name }

// possible returns those of some causes that the system can have. A kernel without a
// controller or without filters has fewer; the claims that are about these say so.
func possible(t claim.Transcript, causes ...string) (kept []string) {
	for _, cause := range causes {
		if strings.HasPrefix(cause, filter("")) {
			if o := t.Step(filter(full) + ".limit"); o.Error == "ENOSYS" || o.Error == "EINVAL" {
				continue
			}
		} else if o := t.Step(cause); feature.Untried(o.Observation) != "" {
			continue
		}
		kept = append(kept, cause)
	}
	return kept
}

// attended stops the check unless the probe watched a program to its end.
func attended(t claim.Transcript, step string) {
	const key = "watched"
	if why := t.Step(step).Unknown[key]; why != "" {
		panic(claim.Missing{Probe: t.Probe, Step: step, Value: key, Reason: why})
	}
}

// bound stops the check unless a cause was tried and its limit was set. Otherwise
// what follows would be about no limit.
func bound(t claim.Transcript, cause string) {
	attended(t, cause)
	t.Step(cause + ".limit").Result()
}

// watched returns the step with the clones of a cause. It stops the check unless
// the tracer counted them.
func watched(t claim.Transcript, cause string) claim.Observation {
	bound(t, cause)
	o := t.Step(cause + ".clone")
	o.Int("refused")
	return o
}

// equal expects a value of a step.
func equal(g gomega.Gomega, o claim.Observation, key, want string) {
	g.Expect(o.Value(key)).To(gomega.Equal(want), "%s of step %s", key, o.Step)
}
