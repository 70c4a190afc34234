package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// bulk is large enough to take blocks on every file system.
var bulk = strings.Repeat("0123456789abcdef", 1<<12)

// putBlob stores a blob that differs from others by name and returns its path.
func putBlob(t *testing.T, c *Cache, name string) string {
	t.Helper()
	text := name + bulk
	path, err := c.Blob(t.Context(), sumOf(text), int64(len(text)), (&source{text: text}).fetch)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// putDir stores a directory and returns its tree.
func putDir(t *testing.T, c *Cache, kind, key string) string {
	t.Helper()
	tree, err := c.Dir(t.Context(), kind, key, (&source{text: key + bulk}).build)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// age sets the last use of the entry of a blob's path or a tree to that long ago.
func age(t *testing.T, path string, ago time.Duration) {
	t.Helper()
	if filepath.Base(path) == "tree" {
		path = manifestOf(filepath.Dir(path))
	}
	if err := os.Chtimes(path, time.Now().Add(-ago), time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func prune(t *testing.T, c *Cache, limit int64) (removed int, freed int64) {
	t.Helper()
	removed, freed, err := c.Prune(limit)
	if err != nil {
		t.Fatal(err)
	}
	return removed, freed
}

func TestWhatWasUsedLongestAgoGoesFirst(t *testing.T) {
	c := open(t, t.TempDir())
	// Neither by kind nor by name, nor in the order of making.
	order := []string{putDir(t, c, "b", "1"), putBlob(t, c, "x"), putDir(t, c, "a", "2"), putBlob(t, c, "y"), putDir(t, c, "b", "0")}
	for i, path := range order {
		age(t, path, time.Duration(len(order)-i)*time.Hour)
	}
	for gone := range order {
		before := usage(t, c)
		removed, freed := prune(t, c, before-1)
		if after := usage(t, c); removed != 1 || freed <= 0 || after != before-freed {
			t.Errorf("removed %d entries and %d bytes; %d bytes became %d", removed, freed, before, after)
		}
		for i, path := range order {
			if there(path) != (i > gone) {
				t.Errorf("after %d prunings %s is there: %t", gone+1, path, there(path))
			}
		}
	}
}

func TestNoMoreIsRemovedThanTheLimitAsks(t *testing.T) {
	c := open(t, t.TempDir())
	path := putBlob(t, c, "x")
	if removed, freed := prune(t, c, usage(t, c)); removed != 0 || freed != 0 || !there(path) {
		t.Errorf("removed %d entries and %d bytes at the limit", removed, freed)
	}
}

func TestUsedEntrySurvives(t *testing.T) {
	c := open(t, t.TempDir())
	for name, use := range map[string]func(name string) string{
		"blob":      func(name string) string { return putBlob(t, c, name) },
		"directory": func(name string) string { return putDir(t, c, "kind", name) },
	} {
		t.Run(name, func(t *testing.T) {
			prune(t, c, 0)
			used, idle := use("used"), use("idle")
			age(t, used, 2*time.Hour)
			age(t, idle, time.Hour)
			use("used")
			prune(t, c, usage(t, c)-1)
			if !there(used) || there(idle) {
				t.Errorf("the used one is there: %t, the idle one: %t", there(used), there(idle))
			}
		})
	}
}

func TestOpenPrunesToTheLimit(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	old, used := putBlob(t, c, "old"), putBlob(t, c, "used")
	age(t, old, time.Hour)
	t.Setenv(limitVariable, fmt.Sprint(usage(t, c)-1))
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if !there(old) {
		t.Fatal("the second user pruned under the first one's hands")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, dir)
	if there(old) || !there(used) || usage(t, c) > c.Limit() {
		t.Errorf("the old one is there: %t, the used one: %t; %d bytes, limit %d", there(old), there(used), usage(t, c), c.Limit())
	}
}

func TestInspectRemovesNothing(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	path, half := putBlob(t, c, "x"), c.path("work", "blob-dead")
	if err := errors.Join(os.WriteFile(half, nil, 0o644), c.Close()); err != nil {
		t.Fatal(err)
	}
	t.Setenv(limitVariable, "0")
	c, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !there(path) || !there(half) {
		t.Errorf("the blob is there: %t, the unfinished work: %t", there(path), there(half))
	}
}

func TestPruneIsRefusedWhileAnotherRunUsesTheCache(t *testing.T) {
	c := open(t, t.TempDir())
	path := putBlob(t, c, "x")
	other := flock.New(c.path("lock", "users"))
	if err := other.RLock(); err != nil {
		t.Fatal(err)
	}
	removed, _, err := c.Prune(0)
	if err == nil || !strings.Contains(err.Error(), "prune again") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is %v, want a sentence that says when to prune again", err)
	}
	if removed != 0 || !there(path) {
		t.Errorf("removed %d entries under the other's hands", removed)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if removed, _ := prune(t, c, 0); removed != 1 || there(path) {
		t.Errorf("removed %d entries when the other was gone", removed)
	}
}

// inUse reports whether somebody uses the cache in dir.
func inUse(t *testing.T, dir string) bool {
	t.Helper()
	l := flock.New(filepath.Join(dir, "lock", "users"))
	defer l.Close()
	ok, err := l.TryLock()
	if err != nil {
		t.Fatal(err)
	}
	return !ok
}

func TestCacheIsInUseUntilItIsClosed(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	for what, happens := range map[string]func() error{
		"Open":            func() error { return nil },
		"another's Open":  func() error { return open(t, dir).Close() },
		"Prune":           func() error { _, _, err := c.Prune(0); return err },
		"a refused Prune": func() error { o := open(t, dir); _, _, err := c.Prune(0); _ = err; return o.Close() },
	} {
		if err := happens(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if !inUse(t, dir) {
			t.Errorf("nobody uses the cache after %s", what)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if inUse(t, dir) {
		t.Error("the cache is in use after Close")
	}
}

func TestForgottenCacheIsStillInUse(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	for range 5 { // a finalizer runs a while after its collection
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
		if !inUse(t, dir) {
			t.Fatal("the garbage collector released the cache")
		}
	}
}

func TestEntryIsNeverThereInPart(t *testing.T) {
	c := open(t, t.TempDir())
	path, tree := putBlob(t, c, "x"), putDir(t, c, "kind", "key")
	// Without a place to move entries to, none may be touched.
	if err := os.Remove(c.path("work")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Prune(0); err == nil {
		t.Error("an entry was removed where it lay")
	}
	if whole := treeWhole(filepath.Dir(tree)); !whole || !there(path) {
		t.Errorf("the directory is whole: %t, the blob is there: %t", whole, there(path))
	}
}

// kill leaves the entry in the state of a run that is killed while it removes it.
func kill(t *testing.T, c *Cache, kind, key string) (work string) {
	t.Helper()
	work = c.path("work", entry{kind: kind, key: key}.name())
	if err := errors.Join(os.Rename(c.path(kind, key), work), os.Remove(manifestOf(work))); err != nil {
		t.Fatal(err)
	}
	return work
}

func TestHalfRemovedEntryIsSwept(t *testing.T) {
	for name, sweep := range map[string]func(t *testing.T, c *Cache){
		"by the next run":     func(t *testing.T, c *Cache) { open(t, c.Root()) },
		"by the next pruning": func(t *testing.T, c *Cache) { prune(t, c, c.Limit()) },
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, t.TempDir())
			putDir(t, c, "kind", "key")
			work := kill(t, c, "kind", "key")
			sweep(t, c)
			if there(work) {
				t.Error("the rest of a half-removed entry is still there")
			}
			if tree := putDir(t, c, "kind", "key"); !there(tree) {
				t.Error("the entry cannot be made again")
			}
		})
	}
}

func TestRestOfAKilledRunDoesNotKeepAnEntry(t *testing.T) {
	c := open(t, t.TempDir())
	putDir(t, c, "kind", "key")
	work := kill(t, c, "kind", "key")
	rest, err := os.ReadDir(work)
	if err != nil || len(rest) == 0 {
		t.Fatalf("%v are left, %v", rest, err)
	}
	// Another run makes the entry again without clearing work.
	aside := c.path("aside")
	if err := os.Rename(work, aside); err != nil {
		t.Fatal(err)
	}
	tree := putDir(t, c, "kind", "key")
	if err := os.Rename(aside, work); err != nil {
		t.Fatal(err)
	}
	// Not by Prune: its sweep would remove the rest too.
	if removed, _, err := c.prune(0); err != nil || removed != 1 || there(tree) || there(work) {
		t.Errorf("removed %d entries, %v; the entry is there: %t, the rest: %t", removed, err, there(tree), there(work))
	}
}

func TestEntryInTheMakingStays(t *testing.T) {
	c := open(t, t.TempDir())
	tree := putDir(t, c, "kind", "key")
	unlock, err := c.lock(t.Context(), "kind-key")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if removed, freed := prune(t, c, 0); removed != 0 || freed != 0 || !there(tree) {
		t.Errorf("removed %d entries and %d bytes from under their maker", removed, freed)
	}
}

func TestForeignFilesStay(t *testing.T) {
	c := open(t, t.TempDir())
	sum := sumOf("x")
	foreign := []string{
		c.path("release-last", "trixie", "InRelease"), // as harness/source/debian keeps it
		c.path("release-last", "manifest.json"),
		c.path("notes"),
		c.path("kind", "notes"),
		c.path("kind", "no-tree", "manifest.json"),
		c.path("kind", "tree-is-a-file", "manifest.json"),
		c.path("kind", "tree-is-a-file", "tree"),
		c.path("kind", "no-manifest", "tree", "a"),
		c.path("kind", "manifest-is-a-folder", "tree", "a"),
		c.path("kind", "manifest-is-a-folder", "manifest.json", "a"),
		c.path("kind", ".hidden", "manifest.json"),
		c.path("kind", ".hidden", "tree", "a"),
		c.path("blob", sum[:2], "notes"),
		c.path("blob", "zz", sum),
		c.path("blob", "ab", "manifest.json"),
		c.path("blob", "ab", "tree", "a"),
		c.path("blob", sumOf("y")[:2], sumOf("y"), "folder"),
		c.path("lock", "ab", "manifest.json"),
		c.path("lock", "ab", "tree", "a"),
	}
	for _, path := range foreign {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(bulk), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	blob, tree := putBlob(t, c, "x"), putDir(t, c, "kind", "key")
	if kinds, err := c.Usage(); err != nil || len(kinds) != 2 || kinds[0].Entries != 1 || kinds[1].Entries != 1 {
		t.Errorf("usage is %+v, %v, want one blob and one of kind", kinds, err)
	}
	if removed, _ := prune(t, c, 0); removed != 2 || there(blob) || there(tree) {
		t.Errorf("removed %d entries, want 2", removed)
	}
	for _, path := range foreign {
		if !there(path) {
			t.Errorf("%s is gone", path)
		}
	}
}
