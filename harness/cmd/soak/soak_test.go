package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestARunIsSeen fails if the memory, the threads or the descriptors of a process are not seen.
func TestARunIsSeen(t *testing.T) {
	var s sample
	s.look(os.Getpid())
	if s.memory < 1<<20 || s.threads < 2 || s.files < 3 {
		t.Errorf("this process has %+v", s)
	}
}

// TestAProcessThatIsLeftIsCounted fails if a run could leave a process that nobody sees.
func TestAProcessThatIsLeftIsCounted(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if n := orphans(); n != 0 {
		t.Fatalf("%d processes before there is one", n)
	}
	// A shell that ends, and a process of it that does not.
	out, err := exec.Command("sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := orphans(); n != 1 {
		t.Errorf("%d processes are left, not 1", n)
	}
	if err := exec.Command("kill", "-KILL", strings.TrimSpace(string(out))).Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(-1, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	if n := orphans(); n != 0 {
		t.Errorf("%d processes are left, after the only one ended", n)
	}
}

// TestTheTableHasTheWorstOfEachTenth fails if what one run used is lost in its row, or if what is
// wrong is no error.
func TestTheTableHasTheWorstOfEachTenth(t *testing.T) {
	all := make([]sample, 20)
	for i := range all {
		all[i] = sample{took: time.Duration(i) * time.Second, memory: 1 << 20}
	}
	if err := spoilt(all, 0, 0); err != nil {
		t.Error(err)
	}
	all[19].memory, all[18].temporary, all[0].changed = 3<<20, 4, 7
	for _, c := range []struct {
		all              []sample
		files, processes int
		want             string
	}{
		{all, 0, 0, "1 of 20 runs"}, {all[1:], 2, 0, "2 files"}, {all[1:], 0, 3, "3 processes"},
	} {
		if err := spoilt(c.all, c.files, c.processes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, and no %q", err, c.want)
		}
	}
	got := markdown("a-cell", "limits", all, 5, 6)
	for _, want := range []string{"20 runs of a-cell (limits)", "5 files were left in TMPDIR, and 6 processes",
		"| 1 to 2 | 1.0 | 1.0 | 0 | 0 | 0.0 | 0 | 0 | 7 |\n", "| 19 to 20 | 19.0 | 3.0 | 0 | 0 | 0.0 | 0 | 4 | 0 |\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, " to "); n != 10 {
		t.Errorf("%d rows, not 10", n)
	}
}
