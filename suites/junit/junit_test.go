package junit

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/suites"
)

func TestGinkgoGetsEveryOutcome(t *testing.T) {
	dead := []evidence.CellRun{
		{Cell: matrix.Cell{Name: "b", Arch: "amd64"}, Failure: &failure.Failure{Kind: failure.Panic, Message: "it died"}},
		{Cell: matrix.Cell{Name: "a", Arch: "arm64"}, Failure: &failure.Failure{Kind: failure.Infra, Message: "no disk"}},
	}
	outcomes, err := suites.JudgeAll(dead, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "junit.xml")
	passed, err := Write(outcomes, dead, path, &bytes.Buffer{})
	if err != nil || passed {
		t.Fatalf("passed %v, %v", passed, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(text, []byte("<testcase ")); got != len(outcomes) {
		t.Errorf("%d test cases for %d outcomes", got, len(outcomes))
	}
}
