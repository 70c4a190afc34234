package agent

import (
	"fmt"
	"os"
	"os/exec"
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
	before := readState(files)
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
	now := readState(files)
	for _, key := range []string{"file " + f.Name(), fmt.Sprint("process ", cmd.Process.Pid)} {
		if _, seen := now[key]; !seen || before[key] != "" {
			t.Errorf("%s is not seen", key)
		}
	}
	if len(now) < 50 {
		t.Errorf("%d things are compared", len(now))
	}
}
