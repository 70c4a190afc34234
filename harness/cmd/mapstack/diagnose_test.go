package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

func TestDiagnoseNeedsOneProgram(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"diagnose"}, "needs one of"},
		{[]string{"diagnose", "--pid", "-1"}, "needs one of"},
		{[]string{"diagnose", "--pid", "1", "--", "true"}, "needs one of"},
		{[]string{"diagnose", "--from", "-", "--facts"}, "needs one of"},
		{[]string{"diagnose", "--facts", "--host-facts", "x"}, "--host-facts needs --from"},
		{[]string{"diagnose", "--from", "/nowhere/at/all"}, "read the log"},
		{[]string{"diagnose", "--from", "-", "--host-facts", "/nowhere/at/all"}, "read the facts"},
		{[]string{"diagnose", "--", "no-such-program"}, "no-such-program"},
	} {
		if _, err := execute(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		} else if code := exitCode(err); code != verdict.ExitInfrastructure {
			t.Errorf("%v: exit status %d", c.args, code)
		}
	}
}

// TestTheProgramsExitStatusIsKept fails if a script could not put diagnose in front of a
// program.
func TestTheProgramsExitStatusIsKept(t *testing.T) {
	for status, want := range map[syscall.WaitStatus]int{
		0: 0, 2 << 8: 2, 69 << 8: 69,
		syscall.WaitStatus(syscall.SIGTERM): 128 + int(syscall.SIGTERM),
	} {
		if got := exitCode(programExit(status)); got != want {
			t.Errorf("%#x: exit status %d, want %d", status, got, want)
		}
	}
	for said, want := range map[string]int{"fine": 0, "recovered": 0, "refused": 1, "exhausted": 1, "unknown": 2} {
		if got := exitCode(attachedExit(diagnose.Outcome{Verdict: said}, nil)); got != want {
			t.Errorf("%s: exit status %d, want %d", said, got, want)
		}
	}
	if got := exitCode(attachedExit(diagnose.Outcome{}, errors.New("no such process"))); got != verdict.ExitInfrastructure {
		t.Errorf("no such process: exit status %d", got)
	}
}

func TestTheDiagnosisGoesWhereItIsAskedFor(t *testing.T) {
	path := t.TempDir() + "/diagnosis"
	var elsewhere strings.Builder
	r := diagnose.Report{Explanation: diagnose.Text{English: "the cause", Chinese: "原因"}}
	if err := (diagnosis{output: path}).tell(r, &elsewhere, language.Chinese); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mapstack: 原因\n" || elsewhere.Len() != 0 {
		t.Errorf("%q, %v; elsewhere %q", b, err, elsewhere.String())
	}
	if err := (diagnosis{output: "/nowhere/at/all"}).tell(r, &elsewhere, language.English); err == nil {
		t.Error("a file that cannot be made is no error")
	}
}

// TestALogIsJudgedByTheFactsOfItsHost fails if --from, --facts and --host-facts do not fit
// together, or if a script cannot tell what was found.
func TestALogIsJudgedByTheFactsOfItsHost(t *testing.T) {
	dir := t.TempDir()
	facts := filepath.Join(dir, "facts.json")
	if out, err := execute(t, "diagnose", "--facts", "-o", facts); err != nil || out != "" {
		t.Fatalf("%q, %v", out, err)
	}
	for text, want := range map[string]int{
		"runtime: failed to create new OS thread (have 2 already; errno=22)\n": exitRefused,
		"all is well\n": verdict.ExitIncomplete,
	} {
		log := filepath.Join(dir, "log")
		if err := os.WriteFile(log, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := execute(t, "diagnose", "--from", log, "--host-facts", facts, "--json")
		if got := exitCode(err); got != want {
			t.Errorf("%q: exit status %d, want %d", text, got, want)
		}
		if strings.Contains(out, `"id":"pid-namespace"`) != (want == exitRefused) || strings.Count(out, "\n") != 1 {
			t.Errorf("%q: %s", text, out)
		}
	}
}
