package cases

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mapstack/conformance/poc/limit"
)

// TestNoProgramDiesWithItsWatcher fails if a limit ends the process that watches, and the
// program with it. Either mapstack says that it cannot begin, or the program ends as it does
// by itself. It once failed in some of several runs.
func TestNoProgramDiesWithItsWatcher(t *testing.T) {
	dir := programs(t)
	const own, exitRefused = 7, 69 // exit statuses of the program and of mapstack
	kinds := []struct {
		of     string
		n      uint64
		begins bool
	}{
		{"AS", 500000 << 10, false}, {"AS", 800000 << 10, false}, {"AS", 1300000 << 10, false},
		{"AS", 1536<<20 - 1, false}, {"AS", 1536 << 20, true},
		{"DATA", 90000 << 10, false}, {"DATA", 160<<20 - 1, false}, {"DATA", 160 << 20, true},
		{"STACK", 64 << 10, false}, {"STACK", 128 << 10, true},
		{"NOFILE", 5, false}, {"NOFILE", 7, false}, {"NOFILE", 8, true},
		{"NPROC", 1, false}, {"NPROC", 3, false}, {"NPROC", 6, false}, {"NPROC", 8, true},
		{"CPU", 100, true}, {"FSIZE", 0, true},
	}
	const runs = 20
	users := limit.Unused(len(kinds) * runs) // the last task of a run may end after the next one began
	for i, c := range kinds {
		t.Run(fmt.Sprintf("%s_%d", c.of, c.n), func(t *testing.T) {
			t.Parallel()
			for run := range runs {
				s := &scene{t: t, programs: dir}
				at := &entrance{User: users[i*runs+run], Limits: []rlimit{both(c.of, c.n)}}
				s.diagnose(command(t.Context(), at.through(s.path(Tests), []string{s.path(Mapstack), "diagnose", "--", "/bin/sh", "-c", "exit 7"})), nil)
				refused := s.exit == exitRefused && strings.HasPrefix(s.output, "mapstack: ") && strings.Contains(s.output, "RLIMIT_"+c.of)
				if c.begins && s.exit != own || !c.begins && !refused {
					t.Fatalf("exit status %d, %s", s.exit, ends(s.output))
				}
			}
		})
	}
}
