package agent

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestDifferencesAreTold(t *testing.T) {
	was := state{"sysctl vm/a": "1", "process 2": "(x)", "same": "same"}
	now := state{"sysctl vm/a": "2", "file /tmp/f": "-rw 3", "same": "same"}
	want := []string{"file /tmp/f -rw 3 is new", "process 2 is gone", `sysctl vm/a was "1" and is "2"`}
	if got := was.differs(now); !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if got := was.differs(was); got != nil {
		t.Errorf("%q", got)
	}
	flood := state{}
	for i := 0; i < 1000; i++ {
		flood[fmt.Sprint("file ", i)] = strings.Repeat("x", 1000)
	}
	got := was.differs(flood)
	if last := got[len(got)-1]; len(got) != maxLeft+1 || last != "and 983 more" || len(got[0]) > 250 {
		t.Errorf("%d: %q", len(got), last)
	}
}

// TestWhatIsLeftIsSeen fails if a process or a file that a probe leaves is overlooked.
func TestWhatIsLeftIsSeen(t *testing.T) {
	files := []string{t.TempDir()}
	w := newWatch(files)
	before := w.state()
	f, err := os.CreateTemp(files[0], "left")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	now := w.state()
	for _, key := range []string{"file " + f.Name(), fmt.Sprint("process ", cmd.Process.Pid)} {
		if _, seen := now[key]; !seen || before[key] != "" {
			t.Errorf("%s is not seen", key)
		}
	}
	if len(now) < 50 {
		t.Errorf("%d things are compared", len(now))
	}
}

// TestAChangeIsSeenInAFileThatStaysOpen fails if what was read before is taken for what a
// file says now, or if a process gets the place of one that had its number.
func TestAChangeIsSeenInAFileThatStaysOpen(t *testing.T) {
	w := newWatch(nil)
	path := filepath.Join(t.TempDir(), "sysctl")
	for _, text := range []string{"1", "22", "3"} {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := w.text(path); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	comm := fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid)
	was := w.text(comm)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if got, err := w.again(comm); err == nil || len(w.open) != 1 {
		t.Errorf("a process that has ended, %q, says %q; %d files are open", was, got, len(w.open))
	}
}
