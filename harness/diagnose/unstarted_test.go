package diagnose

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// TestAProgramThatWasNotStartedDoesNotGoOn fails if a reader is told that a program runs, or
// gets a command for it, that was never started.
func TestAProgramThatWasNotStartedDoesNotGoOn(t *testing.T) {
	var got Report
	s := Session{Root: os.DirFS("/"), Installed: func(string) bool { return false }, Tell: func(r Report) error { got = r; return nil }}
	if err := s.Refuse([]string{"/bin/true"}, &watch.NoRoomError{Errno: syscall.EAGAIN}); err == nil {
		t.Error("no error says that the program was not started")
	}
	if got.Program.State != "unstarted" || !strings.Contains(got.Explanation.English, "was not started") || strings.Contains(got.Explanation.English, "goes on") {
		t.Errorf("%+v", got)
	}
	for _, c := range got.Causes {
		for _, r := range c.Raise {
			if strings.Contains(r.Command, "--pid") {
				t.Errorf("a command for what does not run: %s", r.Command)
			}
		}
	}
}
