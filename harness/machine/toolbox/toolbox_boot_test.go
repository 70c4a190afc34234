//go:build boot

package toolbox

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
)

// traffic counts the bytes that were downloaded.
type traffic struct {
	mu    sync.Mutex
	bytes int64
}

func (n *traffic) sink(e progress.Event) {
	if e.Stage == progress.Download && e.End {
		n.mu.Lock()
		n.bytes += e.Done
		n.mu.Unlock()
	}
}

// TestToolboxRunsOnAnEmptyCache gets every architecture's QEMU from the real
// archive and asks it for its version and machines.
func TestToolboxRunsOnAnEmptyCache(t *testing.T) {
	mirror, err := debian.FindMirror(t.Context(), debian.ThisHost())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err == nil {
		t.Log("a QEMU in PATH is left aside")
	}
	for round := range 2 {
		var n traffic
		box := New(debian.NewClient(c, mirror, os.DirFS("../../../fixtures/keyrings"), n.sink), c, n.sink)
		for _, rec := range arch.All() {
			if rec.Supplied {
				continue // no package holds its emulator
			}
			start, before := time.Now(), n.bytes
			q, err := box.fromPackages(t.Context(), rec)
			if err != nil {
				t.Errorf("%s: %v", rec.GOARCH, err)
				continue
			}
			t.Logf("round %d: %s: %s, %s: %.2f s, %.1f MB", round, rec.GOARCH, q.Version, q.Source, time.Since(start).Seconds(), float64(n.bytes-before)/1e6)
			if round > 0 {
				if n.bytes-before > 1<<20 {
					t.Errorf("%s: %d bytes were downloaded again", rec.GOARCH, n.bytes-before)
				}
				continue
			}
			machinesExist(t, q, rec)
			librariesAreItsOwn(t, q, c.Root())
		}
	}
}

// TestToolboxOutlivesTheMirror fails if a machine without a mirror cannot use the
// toolbox of an earlier run.
func TestToolboxOutlivesTheMirror(t *testing.T) {
	mirror, err := debian.FindMirror(t.Context(), debian.ThisHost())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rec, err := arch.Lookup("s390x")
	if err != nil {
		t.Fatal(err)
	}
	var builds []string
	for _, m := range []debian.Mirror{mirror, {}} {
		box := New(debian.NewClient(c, m, os.DirFS("../../../fixtures/keyrings"), progress.Discard), c, progress.Discard)
		q, err := box.fromPackages(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		builds = append(builds, q.Build)
	}
	if builds[0] != builds[1] {
		t.Errorf("builds are %q, want one and the same", builds)
	}
}

func machinesExist(t *testing.T, q QEMU, rec arch.Record) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), q.Argv[0], append(q.Argv[1:len(q.Argv):len(q.Argv)], "-machine", "help")...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: -machine help: %v: %s", rec.GOARCH, err, out)
	}
	for _, m := range rec.Machines {
		if !strings.Contains("\n"+string(out), "\n"+m.Name+" ") {
			t.Errorf("%s: QEMU has no machine %s: %s", rec.GOARCH, m.Name, out)
		}
	}
}

// librariesAreItsOwn fails if QEMU loads a library of this machine.
func librariesAreItsOwn(t *testing.T, q QEMU, root string) {
	t.Helper()
	var list []string
	for i, a := range q.Argv {
		if a == "--argv0" {
			list = append(list, q.Argv[1:i]...)
			list = append(list, "--list", q.Argv[i+2])
			break
		}
	}
	out, err := exec.CommandContext(t.Context(), q.Argv[0], list...).CombinedOutput()
	if err != nil {
		t.Errorf("list libraries: %v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, root) && !strings.Contains(line, "linux-vdso") {
			t.Errorf("library from elsewhere: %s", line)
		}
	}
}

// TestToolboxIsConfined fails if some architecture's QEMU runs with more rights than it
// needs.
func TestToolboxIsConfined(t *testing.T) {
	mirror, err := debian.FindMirror(t.Context(), debian.ThisHost())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	box := New(debian.NewClient(c, mirror, os.DirFS("../../../fixtures/keyrings"), progress.Discard), c, progress.Discard)
	for _, rec := range arch.All() {
		if rec.Supplied {
			continue // no package holds its emulator
		}
		q, err := box.Find(t.Context(), rec)
		if err != nil {
			t.Errorf("%s: %v", rec.GOARCH, err)
		} else if !q.Confined.Filter || (q.Confined.User == 0) == (os.Geteuid() == 0) {
			t.Errorf("%s: %+v", rec.GOARCH, q.Confined)
		}
	}
}
