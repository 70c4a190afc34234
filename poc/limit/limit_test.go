package limit

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFieldsAreFoundByTheirWholeKey fails if a key matches a longer one that begins
// with it: Threads would be read from the line ThreadsMax.
func TestFieldsAreFoundByTheirWholeKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	text := "ThreadsMax:\t99\nThreads:\t7\nVmSize:\t  1234 kB\nName:\ta: b\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"Threads": 7, "VmSize": 1234} {
		if n, err := Number(path, key); err != nil || n != want {
			t.Errorf("%s: %d, %v", key, n, err)
		}
	}
	if name, err := Field(path, "Name"); err != nil || name != "a: b" {
		t.Errorf("Name: %q, %v", name, err)
	}
	if _, err := Field(path, "Thread"); err == nil {
		t.Error("a line that is not there is found")
	}
}

// TestAnswersOfAGroupAreKept fails if the error of a write is lost. A limit that
// was not set would seem to be ignored.
func TestAnswersOfAGroupAreKept(t *testing.T) {
	g := Group(t.TempDir()).Below("inner")
	if errno := g.Write("pids.max", "12"); errno != syscall.ENOENT {
		t.Errorf("a file that is not there: %v", errno)
	}
	if err := os.WriteFile(filepath.Join(string(g), "pids.max"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g.Put("pids.max", "12\n")
	if n := g.Number("pids.max"); n != 12 {
		t.Errorf("read %d", n)
	}
	if again := Group(filepath.Dir(string(g))).Below("inner"); again != g {
		t.Errorf("a group that is there already: %s", again)
	}
}

func TestPrewarmedThreadsStay(t *testing.T) {
	before := MustNumber(Self, "Threads")
	Prewarm()
	if after := MustNumber(Self, "Threads"); after < 6 || after < before {
		t.Errorf("%d threads, %d before", after, before)
	}
}

func TestAnOrdinaryProcessIsNoGuest(t *testing.T) {
	if os.Getppid() != 1 && WholeMachine() {
		t.Error("limits of this machine would be lowered")
	}
}
