package cases

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/poc/limit"
)

// unmended lists the cases that diagnose does not judge rightly yet. A case that it
// judges rightly must leave the list.
var unmended = []string{}

// programs returns the folder with all programs.
func programs(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(guestFolder); err == nil {
		return guestFolder
	}
	dir := open(t)
	if err := Compile(t.Context(), "../../..", dir, runtime.GOARCH); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open returns a new folder that every user may use. Those of t.TempDir are closed.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mapstack-cases-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWhatPeopleMetIsToldRightly fails if diagnose names another cause than the one that
// the case made, or none.
func TestWhatPeopleMetIsToldRightly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not run: only root can make control groups, users and filters")
	}
	dir := programs(t)
	all := slices.Concat(userCases(), groupCases(), memoryCases(), filterCases(), namespaceCases())
	users := limit.Unused(len(all))
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) {
			if dir != guestFolder { // in a guest some change the whole machine
				t.Parallel()
			}
			s := &scene{t: t, situation: s, programs: dir, user: users[i]}
			wrong := s.try()
			t.Logf("verdict %s, causes: %s", s.said.Verdict, s.named())
			known := slices.Contains(unmended, s.name)
			switch {
			case len(wrong) > 0 && known:
				t.Skipf("not mended yet: %s\n%s", strings.Join(wrong, "; "), ends(s.output))
			case len(wrong) > 0:
				t.Errorf("%s\nexit status %d\n%s\n%s", strings.Join(wrong, "\n"), s.exit, s.said.Explanation.English, ends(s.output))
			case known:
				t.Error("it is told rightly: take it from the list unmended")
			}
		})
	}
	for _, name := range unmended {
		if !slices.ContainsFunc(all, func(s situation) bool { return s.name == name }) {
			t.Errorf("unmended names %q, and there is no such case", name)
		}
	}
}

// TestALostReportIsSaid fails if nobody learns that the file of the diagnosis could not be
// written.
func TestALostReportIsSaid(t *testing.T) {
	s := &scene{t: t, programs: programs(t)}
	for _, file := range []string{"/nowhere/at/all", "/dev/full"} {
		s.diagnose(command(t.Context(), []string{s.path(Mapstack), "diagnose", "-o", file, "--", s.path(Tests), play, "true"}), nil)
		if s.exit != 0 || !strings.Contains(s.output, "write the diagnosis") && !strings.Contains(s.output, "no space left") {
			t.Errorf("%s: exit status %d, %q", file, s.exit, s.output)
		}
	}
}
