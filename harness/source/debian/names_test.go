package debian

import (
	"strings"
	"testing"
)

func TestANameThatCouldLeaveItsPlaceInAPathIsRefused(t *testing.T) {
	for what, tc := range map[string]struct {
		valid     func(string) bool
		good, bad []string
	}{
		"suite":   {ValidSuite, []string{"bookworm", "trixie-backports", "12.0"}, []string{strings.Repeat("a", 65), "bookworm-updates+"}},
		"arch":    {ValidArch, []string{"amd64", "kfreebsd-amd64"}, []string{strings.Repeat("a", 33), "amd64.x"}},
		"package": {ValidPackage, []string{"g++", "linux-image-6.1.0-1-amd64"}, []string{"a", strings.Repeat("a", 129)}},
	} {
		for _, name := range tc.good {
			if !tc.valid(name) {
				t.Errorf("%s: %q is refused", what, name)
			}
		}
		for _, name := range append(tc.bad, "", "..", ".a", "-a", "a/b", "A", "a b", "a\n", "a\x00", "a%2f", "é") {
			if tc.valid(name) {
				t.Errorf("%s: %q is accepted", what, name)
			}
		}
	}
}
