package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// TestADiffHasAPage fails if the page of a diff is not written, changes what the command says, or
// may be written into evidence.
func TestADiffHasAPage(t *testing.T) {
	recorded := filepath.Join("..", "..", "..", "fixtures", "recorded")
	file := filepath.Join(t.TempDir(), "diff.html")
	old, now := recorded+"@amd64-debian11-5.10", recorded+"@amd64-debian13bpo-newest"
	plain, before := execute(t, "diff", old, now)
	out, err := execute(t, "diff", old, now, "--html", file)
	if out != plain || exitCode(err) != exitCode(before) {
		t.Errorf("%v, %v:\n%s\n%s", before, err, plain, out)
	}
	page, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(page), "<code>5.10.") || !strings.Contains(string(page), "MS-010") || len(page) > 1<<20 {
		t.Errorf("%v, %d bytes", err, len(page))
	}
	inside := filepath.Join(recorded, "diff.html")
	if _, err := execute(t, "diff", old, now, "--html", inside); err == nil || !strings.Contains(err.Error(), "--html") || exitCode(err) != verdict.ExitInfrastructure {
		t.Errorf("a page in the evidence: %v", err)
	}
	if _, err := os.Stat(inside); err == nil {
		os.Remove(inside)
		t.Error("the evidence was changed")
	}
}
