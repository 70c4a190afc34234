// Package goruntime claims what becomes of a Go program when the kernel makes no
// more threads for it, and by which calls the Go runtime makes one. What the
// kernel answers is a MUST. What the runtime says of that is a SHOULD: another
// release of Go may say it otherwise, and no kernel is to blame.
package goruntime

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the one whose transcript most claims here read.
const probe = "newosproc"

// full is the error of clone at every limit of processes and threads.
const full = "EAGAIN"

// Suite returns the claims of this suite. Numbers from 101 up are behaviours that
// a row of the catalogue holds besides its first. GR-016 and GR-017
// are not decided here.
func Suite() claim.Suite {
	var claims []claim.Claim
	for _, group := range [][]claim.Claim{refusalClaims(), textClaims(), memoryClaims(), chainClaims(), threadClaims(), variantClaims(), flagClaims()} {
		claims = append(claims, group...)
	}
	for i := range claims {
		if claims[i].Probe == "" {
			claims[i].Probe = probe
		}
	}
	for i, c := range claims {
		if c.ID != "IN-001" { // which asks the kernel alone
			claims[i] = claim.Needs(c, abi.GoPort)
		}
	}
	return claim.Suite{Name: "goruntime", Claims: claims}
}

type check func(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts)

func define(id string, level verdict.Level, english, chinese, source string, decide check) claim.Claim {
	return claim.Claim{
		ID: id, Level: level, English: english, Chinese: chinese, Source: source,
		Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) { decide(g, t, expect.Table(f), f) },
	}
}

func must(id, english, chinese, source string, decide check) claim.Claim {
	return define(id, verdict.Must, english, chinese, source, decide)
}

func should(id, english, chinese, source string, decide check) claim.Claim {
	return define(id, verdict.Should, english, chinese, source, decide)
}

// told narrows a claim to where the runtime notices that clone failed, or one was
// made that does.
func told(c claim.Claim) claim.Claim {
	decide := c.Check
	c.Check = func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
		o := t.Step("runtime")
		if expect.Table(f).GoLosesCloneError && o.Value("mended") != "true" {
			panic(claim.Missing{Probe: probe, Step: o.Step, Value: "mended", Reason: "the guest has no runtime that notices it"})
		}
		decide(g, t, f)
	}
	return claim.Where(c, func(a abi.Table) string {
		if a.GoLosesCloneError && !catalog.Mended.Applies(a.GOARCH) {
			return "the Go runtime of this architecture does not notice that clone failed, which is a defect of its own: see GR-010"
		}
		return ""
	})
}

// limits are the causes at which the kernel has no room for another thread.
func limits() []string { return []string{"nproc", "pids", "nested", "threads-max", "pid_max"} }

// refusals are what filters answer instead of the kernel; the first is full.
func refusals() []string {
	return []string{full, "ENOMEM", "EPERM", "EINVAL", "ENOSYS", "EOPNOTSUPP"}
}

func filter(name string) string { return "seccomp " + name }

// bound stops the check unless a cause was tried and its limit set: what follows
// would be about no limit.
func bound(t claim.Transcript, cause string) {
	t.Ended(cause)
	t.Step(cause + ".limit").Result()
}

// watched stops the check unless the tracer counted the clones of a cause.
func watched(t claim.Transcript, cause string) claim.Observation {
	bound(t, cause)
	o := t.Step(cause + ".clone")
	o.Int("refused")
	return o
}

// equal expects a value.
func equal(g gomega.Gomega, o claim.Observation, key, want string) {
	g.Expect(o.Value(key)).To(gomega.Equal(want), "%s of step %s", key, o.Step)
}
