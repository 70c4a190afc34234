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

// TestClaimsPointToFindingsThatExist fails if the source of a claim names a heading of
// the page that is not there.
func TestClaimsPointToFindingsThatExist(t *testing.T) {
	known := anchors(read(t, findings))
	pointer := regexp.MustCompile(regexp.QuoteMeta(findings) + `#([\w-]+)`)
	seen := 0
	err := fs.WalkDir(root, "suites", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		for _, m := range pointer.FindAllStringSubmatch(read(t, name), -1) {
			seen++
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s points to %s, which has no such heading", name, m[0])
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
