package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const content = "the whole content"

func sumOf(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func open(t *testing.T, dir string) *Cache {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// source counts how often it is called.
type source struct {
	text  string
	asked atomic.Int32
}

func (s *source) fetch(_ context.Context, w io.Writer) error {
	s.asked.Add(1)
	_, err := io.WriteString(w, s.text)
	return err
}

func (s *source) build(_ context.Context, dir string) error {
	s.asked.Add(1)
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		return err
	}
	if err := os.Symlink("sub/b", filepath.Join(dir, "link")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "b"), []byte(s.text), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "a"), []byte(s.text), 0o755)
}

// damages are the ways to damage a stored file.
var damages = []struct {
	name   string
	damage func(path string) error
}{
	{"truncated", func(p string) error { return os.Truncate(p, 3) }},
	{"emptied", func(p string) error { return os.Truncate(p, 0) }},
	{"overwritten with the same length", func(p string) error {
		return os.WriteFile(p, []byte(strings.ToUpper(content)), 0o644)
	}},
	{"grown", func(p string) error { return os.WriteFile(p, []byte(content+"more"), 0o644) }},
	{"missing", os.Remove},
	{"replaced by a directory", func(p string) error {
		return errors.Join(os.Remove(p), os.MkdirAll(filepath.Join(p, "x"), 0o755))
	}},
	{"replaced by a link", func(p string) error {
		return errors.Join(os.Remove(p), os.Symlink("/dev/null", p))
	}},
}

func TestDamagedBlobIsFetchedAgain(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			c, s := open(t, t.TempDir()), &source{text: content}
			path, err := c.Blob(t.Context(), sumOf(content), int64(len(content)), s.fetch)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.damage(path); err != nil {
				t.Fatal(err)
			}
			again, err := c.Blob(t.Context(), sumOf(content), int64(len(content)), s.fetch)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(again); err != nil || string(got) != content {
				t.Errorf("after damage the blob holds %q, %v", got, err)
			}
			if n := s.asked.Load(); n != 2 {
				t.Errorf("fetched %d times, want 2", n)
			}
		})
	}
}

func TestIntactBlobIsNotFetchedAgain(t *testing.T) {
	dir := t.TempDir()
	s := &source{text: content}
	for range 3 {
		path, err := open(t, dir).Blob(t.Context(), sumOf(content), int64(len(content)), s.fetch)
		if err != nil {
			t.Fatal(err)
		}
		// A copy of the cache has other times; the content decides.
		if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("fetched %d times, want 1", n)
	}
}

func TestHeldBlobsAreKnownWithoutFetching(t *testing.T) {
	c, s := open(t, t.TempDir()), &source{text: content}
	if c.Holds(sumOf(content), int64(len(content))) {
		t.Error("an empty cache holds it")
	}
	if _, err := c.Blob(t.Context(), sumOf(content), int64(len(content)), s.fetch); err != nil {
		t.Fatal(err)
	}
	if !c.Holds(sumOf(content), int64(len(content))) || c.Holds(sumOf(content), 1) || c.Holds("../x", 1) {
		t.Error("the cache does not know what it holds")
	}
}

func TestRejectedBlobLeavesNothing(t *testing.T) {
	mirrorGone := errors.New("mirror gone")
	for _, tc := range []struct {
		name  string
		fetch func(context.Context, io.Writer) error
		want  error
	}{
		{"wrong content", (&source{text: strings.ToUpper(content)}).fetch, ErrContent},
		{"too short", (&source{text: content[:4]}).fetch, ErrContent},
		{"too long", (&source{text: content + content}).fetch, ErrContent},
		{"fails half-way", func(_ context.Context, w io.Writer) error {
			_, _ = io.WriteString(w, content[:4])
			return mirrorGone
		}, mirrorGone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := open(t, t.TempDir())
			_, err := c.Blob(t.Context(), sumOf(content), int64(len(content)), tc.fetch)
			if !errors.Is(err, tc.want) {
				t.Errorf("error is %v, want %v", err, tc.want)
			}
			onlyLocks(t, c)
		})
	}
}

func TestDamagedDirectoryIsBuiltAgain(t *testing.T) {
	inTree := append(damages[:len(damages):len(damages)], struct {
		name   string
		damage func(path string) error
	}{"joined by a stranger", func(p string) error { return os.WriteFile(p+".new", nil, 0o644) }},
		struct {
			name   string
			damage func(path string) error
		}{"made unexecutable", func(p string) error { return os.Chmod(p, 0o644) }},
		struct {
			name   string
			damage func(path string) error
		}{"without its manifest", func(p string) error {
			return os.Remove(filepath.Join(filepath.Dir(filepath.Dir(p)), "manifest.json"))
		}})
	for _, d := range inTree {
		t.Run(d.name, func(t *testing.T) {
			c, s := open(t, t.TempDir()), &source{text: content}
			dir, err := c.Dir(t.Context(), "kind", "key", s.build)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.damage(filepath.Join(dir, "a")); err != nil {
				t.Fatal(err)
			}
			dir, err = c.Dir(t.Context(), "kind", "key", s.build)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || string(got) != content {
				t.Errorf("after damage the file holds %q, %v", got, err)
			}
			if n := s.asked.Load(); n != 2 {
				t.Errorf("built %d times, want 2", n)
			}
		})
	}
}

func TestRetargetedLinkIsDamage(t *testing.T) {
	c, s := open(t, t.TempDir()), &source{text: content}
	dir, err := c.Dir(t.Context(), "kind", "key", s.build)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Remove(link), os.Symlink("sub/c", link)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Dir(t.Context(), "kind", "key", s.build); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.Readlink(link); got != "sub/b" {
		t.Errorf("link points to %q, want sub/b", got)
	}
}

func TestIntactDirectoryIsNotBuiltAgain(t *testing.T) {
	root := t.TempDir()
	s := &source{text: content}
	for range 3 {
		dir, err := open(t, root).Dir(t.Context(), "kind", "key", s.build)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, "a"), time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("built %d times, want 1", n)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	broken := errors.New("broken package")
	c := open(t, t.TempDir())
	_, err := c.Dir(t.Context(), "kind", "key", func(ctx context.Context, dir string) error {
		if err := (&source{text: content}).build(ctx, dir); err != nil {
			return err
		}
		// Unpacked packages may hold directories without write permission.
		return errors.Join(os.Chmod(filepath.Join(dir, "sub"), 0o555), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("error is %v, want %v", err, broken)
	}
	onlyLocks(t, c)
}

func TestConcurrentWantersBuildOnce(t *testing.T) {
	root := t.TempDir()
	first := open(t, root)
	// A second Cache on the same root locks through its own descriptors, as
	// another process does.
	caches := []*Cache{first, first, open(t, root), open(t, root)}
	s, blob := &source{text: content}, &source{text: content}
	var wg sync.WaitGroup
	for _, c := range caches {
		for range 4 {
			wg.Go(func() {
				if _, err := c.Dir(t.Context(), "kind", "key", s.build); err != nil {
					t.Error(err)
				}
				if _, err := c.Blob(t.Context(), sumOf(content), int64(len(content)), blob.fetch); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if s.asked.Load() != 1 || blob.asked.Load() != 1 {
		t.Errorf("built %d times and fetched %d times, want 1 and 1", s.asked.Load(), blob.asked.Load())
	}
}

func TestCancelledWaiterDoesNotHang(t *testing.T) {
	root := t.TempDir()
	holder := open(t, root)
	for name, waiter := range map[string]*Cache{"same run": holder, "another run": open(t, root)} {
		t.Run(name, func(t *testing.T) {
			unlock, err := holder.lock(t.Context(), "kind-key")
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = waiter.Dir(ctx, "kind", "key", (&source{}).build)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want context.Canceled", err)
			}
		})
	}
}

func TestCancelledBuildLeavesNothing(t *testing.T) {
	c := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Dir(ctx, "kind", "key", func(ctx context.Context, dir string) error {
		cancel()
		return (&source{text: content}).build(ctx, dir)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	onlyLocks(t, c)
}

func TestWorkOfKilledRunIsRemoved(t *testing.T) {
	root := t.TempDir()
	c := open(t, root)
	dead, alive := c.path("work", "kind-dead"), c.path("work", "kind-alive")
	old, begun := c.path("work", "blob-old"), c.path("work", "blob-begun")
	for _, p := range []string{dead, alive, old, begun} {
		if err := os.WriteFile(p, []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*keepBegun)); err != nil {
		t.Fatal(err)
	}
	unlock, err := c.lock(t.Context(), "kind-alive")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	open(t, root)
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("work of a dead run: %v, want not exist", err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a download that nobody goes on with: %v, want not exist", err)
	}
	if _, err := os.Stat(begun); err != nil {
		t.Errorf("the beginning of a download is gone: %v", err)
	}
	if _, err := os.Stat(alive); err != nil {
		t.Errorf("work of a live run is gone: %v", err)
	}
}

func TestFullDiskSaysSo(t *testing.T) {
	c := open(t, t.TempDir())
	_, err := c.Dir(t.Context(), "kind", "key", func(context.Context, string) error {
		return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	})
	if err == nil || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(err.Error(), c.Root()) {
		t.Errorf("error is %v, want one that says that the disk of %s is full", err, c.Root())
	}
}

func TestErrorOfInnerEntryIsExplainedOnce(t *testing.T) {
	c := open(t, t.TempDir())
	_, err := c.Dir(t.Context(), "outer", "key", func(ctx context.Context, _ string) error {
		_, err := c.Dir(ctx, "inner", "key", func(context.Context, string) error {
			return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
		})
		return err
	})
	if err == nil || strings.Count(err.Error(), "disk is full") != 1 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error is %v, want one that says once that the disk is full", err)
	}
}

func TestNamesThatLeaveTheCacheAreRefused(t *testing.T) {
	c := open(t, t.TempDir())
	for _, name := range []string{"", "..", "a/b", "../x", ".hidden", "blob", "work", "lock"} {
		if _, err := c.Dir(t.Context(), name, "key", (&source{}).build); err == nil {
			t.Errorf("kind %q was accepted", name)
		}
	}
	for _, name := range []string{"", "..", "a/b", "/x"} {
		if _, err := c.Dir(t.Context(), "kind", name, (&source{}).build); err == nil {
			t.Errorf("key %q was accepted", name)
		}
	}
	for _, sum := range []string{"", "xyz", strings.ToUpper(sumOf("")), "../" + sumOf("")[3:]} {
		if _, err := c.Blob(t.Context(), sum, 0, (&source{}).fetch); err == nil {
			t.Errorf("sum %q was accepted", sum)
		}
	}
}

// onlyLocks fails if anything but lock files is in the cache.
func onlyLocks(t *testing.T, c *Cache) {
	t.Helper()
	err := filepath.WalkDir(c.Root(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(filepath.Dir(path)) != "lock" {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestADownloadGoesOnInTheNextRun fails if a run that was stopped in the middle of a large file
// begins it anew, or if what it left is trusted although it is something else.
func TestADownloadGoesOnInTheNextRun(t *testing.T) {
	c := open(t, t.TempDir())
	stopped := errors.New("stopped")
	sum, size := sumOf(content), int64(len(content))
	var had []int64
	fetch := func(text string, most int) func(context.Context, io.Writer, int64) error {
		return func(_ context.Context, w io.Writer, have int64) error {
			had = append(had, have)
			part := text[have:]
			if len(part) > most {
				if _, err := io.WriteString(w, part[:most]); err != nil {
					return err
				}
				return stopped
			}
			_, err := io.WriteString(w, part)
			return err
		}
	}
	for _, most := range []int{3, 2, len(content)} {
		path, err := c.Resumed(t.Context(), sum, size, fetch(content, most))
		if most < len(content) {
			if !errors.Is(err, stopped) {
				t.Fatal(err)
			}
			if err := c.sweep(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if text, failed := os.ReadFile(path); err != nil || failed != nil || string(text) != content {
			t.Errorf("%q, %v, %v", text, err, failed)
		}
	}
	if !slices.Equal(had, []int64{0, 3, 5}) {
		t.Errorf("the runs had %v bytes", had)
	}

	// Bytes that are something else are found out, and fetched again.
	for name, left := range map[string]func(work string) error{
		"other bytes": func(work string) error { return os.WriteFile(work, []byte("XYZ"), 0o644) },
		"too many":    func(work string) error { return os.WriteFile(work, []byte(content+content), 0o644) },
		"a link":      func(work string) error { return os.Symlink("/etc/passwd", work) },
		"a folder":    func(work string) error { return os.Mkdir(work, 0o755) },
	} {
		c := open(t, t.TempDir())
		work := c.path("work", "blob-"+sum)
		if err := left(work); err != nil {
			t.Fatal(err)
		}
		path, err := c.Resumed(t.Context(), sum, size, fetch(content, len(content)))
		if text, failed := os.ReadFile(path); err != nil || failed != nil || string(text) != content {
			t.Errorf("%s: %q, %v, %v", name, text, err, failed)
		}
	}
}
