// Package expect holds the expectations that several suites share.
package expect

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Table returns the constants of the architecture that the target says it is.
func Table(f facts.Facts) abi.Table {
	t, ok := abi.Lookup(f.Arch)
	if !ok {
		panic(claim.Missing{Probe: "facts", Step: "arch", Reason: fmt.Sprintf("architecture %q has no table in poc/abi", f.Arch)})
	}
	return t
}

// WithTable makes a check of one that also takes the constants of the target's
// architecture.
func WithTable(check func(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts)) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return func(g gomega.Gomega, t claim.Transcript, f facts.Facts) { check(g, t, Table(f), f) }
}

// Errno expects that the call of a step failed with an error. It compares the
// error's number on the architecture, because the same name is another number
// elsewhere.
func Errno(g gomega.Gomega, a abi.Table, o claim.Observation, name string) {
	g.Expect(outcome(a, o)).To(gomega.Equal(numbered(a, a.Errno(name))), call(o))
}

// OK expects that the call of a step succeeded.
func OK(g gomega.Gomega, o claim.Observation) {
	g.Expect(o.Failure()).To(gomega.Equal("none"), call(o))
}

func outcome(a abi.Table, o claim.Observation) string {
	if o.OK() {
		return "success"
	}
	return numbered(a, o.Errno)
}

// numbered returns an error number with its name.
func numbered(a abi.Table, number int) string {
	if name := a.ErrnoName(number); name != "" {
		return fmt.Sprintf("%s (%d)", name, number)
	}
	return fmt.Sprintf("errno %d", number)
}

func call(o claim.Observation) string {
	if o.Call == "" {
		return "step " + o.Step
	}
	return fmt.Sprintf("step %s: %s", o.Step, o.Call)
}

// Permitted expects that maps shows a private mapping with the protection prot.
func Permitted(g gomega.Gomega, a abi.Table, o claim.Observation, prot uint64) {
	shown := []string{letters(a.Prot, prot)}
	if a.WriteMayRead && prot&a.Prot.Write != 0 {
		shown = append(shown, letters(a.Prot, prot|a.Prot.Read))
	}
	g.Expect(o.Value("perms")).To(gomega.BeElementOf(shown), "%s: permissions", call(o))
}

// letters returns a protection as maps writes it.
func letters(p abi.Prot, prot uint64) string {
	shown := []byte("---p")
	for i, bit := range []uint64{p.Read, p.Write, p.Exec} {
		if prot&bit != 0 {
			shown[i] = "rwx"[i]
		}
	}
	return string(shown)
}
