// Package mapstack is the claims about MAP_STACK and about the protections of
// thread stacks, decided from what poc/mapstack observed.
package mapstack

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the one whose transcript every claim here reads.
const probe = "mapstack"

// Area returns the claims of this suite.
func Area() claim.Area {
	claims := append(flagClaims(), hugePageClaims()...)
	claims = append(claims, numberClaims()...)
	claims = append(claims, protectionClaims()...)
	claims = append(claims, threadClaims()...)
	for i := range claims {
		claims[i].Probe = probe
		if claims[i].Level == "" {
			claims[i].Level = verdict.Must
		}
	}
	return claim.Area{Name: "mapstack", Claims: claims}
}

// equal expects a value as text.
func equal(g gomega.Gomega, o claim.Observation, key, want string) {
	g.Expect(o.Value(key)).To(gomega.Equal(want), "%s: %s of %s", o.Step, key, o.Call)
}

// flagged expects a flag among the words of VmFlags, or not.
func flagged(g gomega.Gomega, o claim.Observation, key, flag string, want bool) {
	g.Expect(has(o, key, flag)).To(gomega.Equal(want),
		"%s: flag %s among %s %q of %s", o.Step, flag, key, o.Value(key), o.Call)
}

func has(o claim.Observation, key, flag string) bool {
	for _, word := range o.Words(key) {
		if word == flag {
			return true
		}
	}
	return false
}

// without is the words of VmFlags but for some, as text.
func without(o claim.Observation, key string, flags ...string) string {
	var kept []string
	for _, word := range o.Words(key) {
		if !strings.Contains(" "+strings.Join(flags, " ")+" ", " "+word+" ") {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}

// permitted expects maps to show a private mapping as it was asked for with prot.
func permitted(g gomega.Gomega, a abi.Table, o claim.Observation, prot uint64) {
	shown := []string{letters(a.Prot, prot)}
	if a.WriteMayRead && prot&a.Prot.Write != 0 {
		shown = append(shown, letters(a.Prot, prot|a.Prot.Read))
	}
	g.Expect(o.Value("perms")).To(gomega.BeElementOf(shown), "%s: permissions of %s", o.Step, o.Call)
}

// letters is a protection as maps writes it.
func letters(p abi.Prot, prot uint64) string {
	shown := []byte("---p")
	for i, bit := range []uint64{p.Read, p.Write, p.Exec} {
		if prot&bit != 0 {
			shown[i] = "rwx"[i]
		}
	}
	return string(shown)
}

// usable expects a private anonymous mapping that can be written at both ends.
func usable(g gomega.Gomega, o claim.Observation) {
	expect.OK(g, o)
	equal(g, o, "perms", "rw-p")
	equal(g, o, "first", "ok")
	equal(g, o, "last", "ok")
}

// childEnded expects the child that a step started to have run to its end. One
// that could not be started, or was stopped by us, says nothing of the kernel.
func childEnded(t claim.Transcript, step string) {
	o := t.Step(step)
	if o.Value("timedout") != "false" || !o.Has("exit") || o.Value("exit") != "0" {
		panic(claim.Missing{Probe: probe, Step: step, Value: "exit",
			Reason: fmt.Sprintf("the child ended with %v", o.Values)})
	}
}
