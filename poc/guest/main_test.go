package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/mapstack/conformance/poc/catalog"
)

// stayed reports whether main was on the first thread of the process all the time.
var stayed = true

// TestMain offers main to the other threads.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(4)
	end := make(chan bool)
	for i := 0; i < 4; i++ {
		go func() {
			for {
				select {
				case <-end:
					return
				default:
					runtime.Gosched()
				}
			}
		}()
	}
	for i := 0; i < 50000; i++ {
		runtime.Gosched()
		stayed = stayed && syscall.Gettid() == os.Getpid()
	}
	close(end)
	os.Exit(m.Run())
}

// TestProgramsRunOnTheFirstThread fails if a program can begin on a thread that its tracer
// does not follow.
func TestProgramsRunOnTheFirstThread(t *testing.T) {
	if !stayed {
		t.Error("main was on another thread than the first")
	}
}

// TestEveryRecordedProgramIsInside fails if a probe has a record and is in no guest,
// or is in the guest and nobody has said what it may harm.
func TestEveryRecordedProgramIsInside(t *testing.T) {
	inside := programs()
	for _, name := range []string{"agent", "init"} { // they run probes, and have no record
		if inside[name] == nil {
			t.Errorf("%s is not inside", name)
		}
		delete(inside, name)
	}
	for _, p := range catalog.Programs() {
		if want := !p.Hosted && !p.Assembled; (inside[p.Name] != nil) != want {
			t.Errorf("%s is inside: %v, want %v", p.Name, !want, want)
		}
		delete(inside, p.Name)
	}
	for name := range inside {
		t.Errorf("%s is inside and has no record in poc/catalog", name)
	}
}

// TestTheNameSaysWhichProgramRuns fails if a program is another one's, or if a name
// that nobody has runs one.
func TestTheNameSaysWhichProgramRuns(t *testing.T) {
	dir := t.TempDir()
	built := filepath.Join(dir, "built")
	if out, err := exec.Command("go", "build", "-o", built, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]string{
		"hostile":         "usage: hostile ",
		"hostile-variant": "usage: hostile ",
		"inject":          "usage: inject ",
		"guest":           `no program is called "guest"`,
		"sysconf":         `no program is called "sysconf"`,
	} {
		path := filepath.Join(dir, name)
		if err := os.Link(built, path); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(path).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s says %q, %v; want %q", name, out, err, want)
		}
	}
}
