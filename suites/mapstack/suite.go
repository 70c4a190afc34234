// Package mapstack is the claims about MAP_STACK and about the protections of
// thread stacks, decided from what poc/mapstack observed.
package mapstack

import (
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the one whose transcript every claim here reads.
const probe = "mapstack"

// Suite returns the claims of this suite.
func Suite() claim.Suite {
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
	return claim.Suite{Name: "mapstack", Claims: claims}
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

// usable expects a private anonymous mapping that can be written at both ends.
func usable(g gomega.Gomega, o claim.Observation) {
	expect.OK(g, o)
	equal(g, o, "perms", "rw-p")
	equal(g, o, "first", "ok")
	equal(g, o, "last", "ok")
}
