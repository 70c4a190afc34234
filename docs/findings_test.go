package docs_test

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const findings = "docs/findings.md"

// TestEveryKnownFailureIsAFinding fails if a recorded kernel fails a claim and no reader
// can learn why: what happens, since when, and what to do.
func TestEveryKnownFailureIsAFinding(t *testing.T) {
	failed := map[string]bool{}
	for _, line := range strings.Split(read(t, "suites/outcomes.golden"), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "fail" {
			failed[f[0]] = true
		}
	}
	if len(failed) == 0 {
		t.Fatal("no recorded kernel fails a claim, so nothing is checked")
	}
	for _, page := range []string{findings, edition(findings)} {
		text := read(t, page)
		for id := range failed {
			if !strings.Contains(text, id) {
				t.Errorf("%s does not name %s, which fails on a recorded kernel", page, id)
			}
		}
	}
}

// TestKnownFailuresPointToHeadingsThatExist fails if an entry of the known failures sends its
// reader to a heading that is not there.
func TestKnownFailuresPointToHeadingsThatExist(t *testing.T) {
	const list = "fixtures/known-failures.yaml"
	links := regexp.MustCompile(`(?m)^    link: (docs/[^#\s]+)#(\S+)$`).FindAllStringSubmatch(read(t, list), -1)
	for _, m := range links {
		if !slices.Contains(anchors(read(t, m[1])), m[2]) {
			t.Errorf("%s points to %s, which has no heading #%s", list, m[1], m[2])
		}
	}
	if len(links) == 0 {
		t.Error("no known failure points to a page, so nothing was checked")
	}
}

// TestClaimsPointToFindingsThatExist fails if a claim names a finding that a page does not
// have, in either language. The Chinese page has the English name above its heading.
func TestClaimsPointToFindingsThatExist(t *testing.T) {
	pointer := regexp.MustCompile(`Finding:\s+"([^"]*)"|` + regexp.QuoteMeta(findings) + `#([\w-]+)`)
	seen := 0
	err := fs.WalkDir(root, "suites", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		for _, m := range pointer.FindAllStringSubmatch(read(t, name), -1) {
			seen++
			for _, page := range []string{findings, edition(findings)} {
				if !slices.Contains(anchors(read(t, page)), m[1]+m[2]) {
					t.Errorf("%s points to %s, and %s has no such heading", name, m[0], page)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Error("no claim points to a finding, so nothing was checked")
	}
}

// TestFindingsHaveOneNameInBothLanguages fails if a finding lacks the name by which the
// Chinese page of claims links to it.
func TestFindingsHaveOneNameInBothLanguages(t *testing.T) {
	chinese := anchors(read(t, edition(findings)))
	for _, h := range headings(read(t, findings)) {
		if name := anchors(h)[0]; strings.HasPrefix(h, "### ") && !slices.Contains(chinese, name) {
			t.Errorf("%s has no anchor %s for %q", edition(findings), name, h)
		}
	}
}

// TestAClaimThatIsFoundToFailPointsToTheFinding fails if a claim that a recorded kernel
// fails names no finding in its literal.
func TestAClaimThatIsFoundToFailPointsToTheFinding(t *testing.T) {
	literal := regexp.MustCompile(`(?s)ID:\s+"(\w\w-\d\d\d)".*?(?:Check:|\n\t\t\})`)
	pointing := map[string]bool{}
	err := fs.WalkDir(root, "suites", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		for _, m := range literal.FindAllStringSubmatch(read(t, name), -1) {
			pointing[m[1]] = pointing[m[1]] || strings.Contains(m[0], "Finding:")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(read(t, "suites/outcomes.golden"), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "fail" && !pointing[f[0]] {
			t.Errorf("%s fails on %s, and its literal names no finding", f[0], f[1])
		}
	}
}
