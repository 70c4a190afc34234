package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
)

// TestAFolderThatSomebodySendsHoldsNobodyUp fails if a pipe, a link out of the folder or
// thousands of cells keep the reader busy.
func TestAFolderThatSomebodySendsHoldsNobodyUp(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("root:x:0:0"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file string
		make func(path string) error
		want string
	}{
		"a pipe for run.json":     {"run.json", func(p string) error { return syscall.Mkfifo(p, 0o644) }, "no regular file"},
		"a pipe for a transcript": {"cells/a-1/transcripts/facts.json", func(p string) error { return syscall.Mkfifo(p, 0o644) }, "no regular file"},
		"a link out of it":        {"cells/a-1/cell.json", func(p string) error { return os.Symlink(secret, p) }, "escapes"},
		"a folder":                {"cells/a-1/cell.json", func(p string) error { return os.Mkdir(p, 0o755) }, "no regular file"},
	} {
		f, _, _ := save(t)
		path := filepath.Join(f.Path(), c.file)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(f.Path()); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "root:x") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	f, run, _ := save(t)
	for n := range maxCells {
		run.Cells = append(run.Cells, matrix.Cell{Name: fmt.Sprintf("c%d", n)})
	}
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(f.Path()); err == nil || !strings.Contains(err.Error(), "more than the 10000 that are read") {
		t.Errorf("%v", err)
	}
}

// TestTheReportOfManyCellsIsRead fails if a run of some hundred cells cannot be judged again, or
// if a file without end is read.
func TestTheReportOfManyCellsIsRead(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		size         int64
		file, report string
	}{{maxFile, "", ""}, {maxFile + 1, "larger than 64 MiB", ""}, {maxReport + 1, "larger than 64 MiB", "larger than 1024 MiB"}} {
		path := filepath.Join(dir, "report.json")
		if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, c.size)); err != nil { // it has holes alone
			t.Fatal(err)
		}
		for want, read := range map[string]func(fs.FS, string) ([]byte, error){"file " + c.file: ReadFile, "report " + c.report: ReadReport} {
			_, want, _ := strings.Cut(want, " ")
			b, err := read(os.DirFS(dir), "report.json")
			if want == "" && (err != nil || int64(len(b)) != c.size) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%d bytes: %d were read, %v; want %q", c.size, len(b), err, want)
			}
		}
	}
}

// TestTheDigestChangesWithEveryFile fails if something in a folder can be changed, added,
// removed or renamed under a report.
func TestTheDigestChangesWithEveryFile(t *testing.T) {
	f, _, _ := save(t)
	seen := map[string]string{}
	for _, step := range []struct {
		name   string
		change func() error
	}{
		{"nothing", func() error { return nil }},
		{"a file was added", func() error { return os.WriteFile(filepath.Join(f.Path(), "cells", "x"), []byte("x"), 0o644) }},
		{"a file was changed", func() error { return os.WriteFile(filepath.Join(f.Path(), "cells", "x"), []byte("y"), 0o644) }},
		{"a file was renamed", func() error {
			return os.Rename(filepath.Join(f.Path(), "cells", "x"), filepath.Join(f.Path(), "cells", "y"))
		}},
		{"a file was removed", func() error { return os.Remove(filepath.Join(f.Path(), "run.json")) }},
	} {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		d, err := Digest(os.DirFS(f.Path()), "report.json")
		if err != nil {
			t.Fatal(err)
		}
		if before, known := seen[d]; known {
			t.Errorf("%s: the digest is that of: %s", step.name, before)
		}
		seen[d] = step.name
		if err := os.WriteFile(filepath.Join(f.Path(), "report.json"), []byte(step.name), 0o644); err != nil {
			t.Fatal(err)
		}
		if again, err := Digest(os.DirFS(f.Path()), "report.json"); err != nil || again != d {
			t.Errorf("%s: the report changes the digest, %v", step.name, err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(f.Path(), "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Digest(os.DirFS(f.Path())); err == nil {
		t.Error("a pipe was hashed")
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte("@MSg2 0 2 4ad8c4bd e30=\n[ 1.0] x\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		total := 0
		for _, l := range lines(log) {
			if len(l) > maxLogLine {
				t.Errorf("a line of %d bytes", len(l))
			}
			total += len(l)
		}
		if total != len(log) {
			t.Errorf("%d bytes of %d", total, len(log))
		}
		guests(log)
	})
}
