// Package mapstack claims what MAP_STACK does to a mapping, and how the
// protections of thread stacks behave.
package mapstack

import (
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the probe that every claim here reads.
const probe = "mapstack"

// Suite returns the claims of this suite.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "mapstack", Prefix: "MS", Floor: 20, Probe: probe,
		About: claim.Text{
			English: "What MAP_STACK does to a mapping, and the protections of thread stacks.",
			Chinese: "MAP_STACK 对映射有何作用，以及线程栈的保护属性。",
		},
	}.Join(flagClaims(), hugePageClaims(), numberClaims(), protectionClaims(), threadClaims(), executionClaims(), useClaims(), residentClaims())
}

// equal expects a value as text.
func equal(g gomega.Gomega, o claim.Observation, key, want string) {
	g.Expect(o.Value(key)).To(gomega.Equal(want), "%s: %s of %s", o.Step, key, o.Call)
}

// flagged expects that the words of VmFlags hold a flag, or that they do not.
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

// without returns the words of VmFlags without some of them, as text.
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
