package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// execute runs a command line as main does.
func execute(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestUnknownNamesListTheValidOnesAndExit69(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--arch", "nonsense"}, "amd64, arm64, loong64"},
		{[]string{"run", "--cell", "nonsense"}, "amd64-debian12-6.1"},
		{[]string{"run", "--kernel", "2.4"}, "newest"},
		{[]string{"run", "--focus", "XX-001"}, "mapstack"},
		{[]string{"list", "--arch", "nonsense"}, "amd64"},
		{[]string{"fetch", "--cell", "nonsense"}, "amd64-debian12-6.1"},
		{[]string{"doctor", "--cell", "nonsense"}, "amd64-debian12-6.1"},
		{[]string{"probe", "nonsense", "facts"}, "amd64-debian12-6.1"},
		{[]string{"probe", "facts"}, "needs a cell and a probe"},
		{[]string{"probe", "--target", "board", "facts"}, "use native"},
		{[]string{"run", "--target", "board"}, "use native"},
		{[]string{"run", "--resume", "/nowhere"}, "--resume /nowhere: there is no such folder"},
		{[]string{"run", "--dry-run", "--baseline", "/nowhere"}, "--baseline /nowhere: "},
		{[]string{"bench", "load", "--target", "board"}, "use native"},
		{[]string{"stage0", "nonsense"}, "unknown command"},
		{[]string{"completion", "tcsh"}, "unknown command"},
		{[]string{"help", "nonsense"}, "mapstack --help lists the commands"},
		{[]string{"probe", "--arch", "arm64", "amd64-debian12-6.1", "facts"}, "is about --target user"},
		{[]string{"verdict", "/nowhere"}, "/nowhere"},
		{[]string{"nonsense"}, "unknown command"},
		{[]string{"run", "--nonsense"}, "unknown flag"},
		{[]string{"fetch", "--update-lock", "--arch", "amd64"}, "update-lock"},
	} {
		_, err := execute(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
		if code := exitCode(err); code != verdict.ExitInfrastructure {
			t.Errorf("%v: exit status %d", c.args, code)
		}
	}
}

func TestExitStatusIsTheVerdicts(t *testing.T) {
	for want, err := range map[int]error{
		0:  statusError(verdict.ExitConformant),
		1:  statusError(verdict.ExitNonConformant),
		2:  fmt.Errorf("wrapped: %w", statusError(verdict.ExitIncomplete)),
		69: errors.New("the disk is full"),
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: exit status %d, want %d", err, got, want)
		}
	}
	// A guest died under one probe. The status is 69 only if the kernel did not cause it.
	for kind, want := range map[failure.Kind]int{failure.Panic: 2, failure.Hang: 2, failure.Interrupted: 2, failure.Infra: 69, failure.Protocol: 69} {
		if got := exitCode(fmt.Errorf("probe: %w", &failure.Failure{Kind: kind})); got != want {
			t.Errorf("%s: exit status %d, want %d", kind, got, want)
		}
	}
}

func TestListShowsEveryCell(t *testing.T) {
	out, err := execute(t, "list")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if !strings.Contains(out, c.Name+" ") {
			t.Errorf("no %s in\n%s", c.Name, out)
		}
	}
}
