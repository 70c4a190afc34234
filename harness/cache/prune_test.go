package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
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

func usage(t *testing.T, c *Cache) (bytes int64) {
	t.Helper()
	kinds, err := c.Usage()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		bytes += k.Bytes
	}
	return bytes
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

// TestUseIsNotedOnEveryMount fails if the kernel has to store the time of use: some
// mounts tell it to do so seldom or never. No mount moves the time back.
func TestUseIsNotedOnEveryMount(t *testing.T) {
	c := open(t, t.TempDir())
	age(t, putBlob(t, c, "x"), -time.Hour)
	age(t, putDir(t, c, "kind", "key"), -time.Hour)
	putBlob(t, c, "x")
	putDir(t, c, "kind", "key")
	kinds, err := c.Usage()
	if err != nil || len(kinds) != 2 {
		t.Fatalf("%+v, %v, want 2 kinds", kinds, err)
	}
	for _, k := range kinds {
		if time.Until(k.Newest) > time.Minute {
			t.Errorf("the use of a %s just now was not noted", k.Name)
		}
	}
}

// TestNewEntryIsNotTheOldest fails if the last use of a new blob is the time that
// marks it as checked.
func TestNewEntryIsNotTheOldest(t *testing.T) {
	c := open(t, t.TempDir())
	old, fresh := putDir(t, c, "kind", "key"), putBlob(t, c, "x")
	age(t, old, time.Hour)
	prune(t, c, usage(t, c)-1)
	if there(old) || !there(fresh) {
		t.Errorf("the old one is there: %t, the fresh one: %t", there(old), there(fresh))
	}
}

func TestUseDoesNotHideDamage(t *testing.T) {
	c, s := open(t, t.TempDir()), &source{text: content}
	var path string
	for range 3 {
		var err error
		if path, err = c.Blob(t.Context(), sumOf(content), int64(len(content)), s.fetch); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := os.Stat(path); err != nil || !st.ModTime().Equal(checked) || s.asked.Load() != 1 {
		t.Errorf("fetched %d times; modified at %v, %v", s.asked.Load(), st.ModTime(), err)
	}
	// A write between check and note must not get the checked time.
	if err := os.WriteFile(path, []byte(strings.ToUpper(content)), 0o644); err != nil {
		t.Fatal(err)
	}
	noteUse(path)
	if whole, err := blobWhole(path, sumOf(content), int64(len(content))); whole || err != nil {
		t.Errorf("a damaged blob is whole: %t, %v", whole, err)
	}
}

// TestReadOnlyCacheIsUsed mounts the cache read-only, visible to this thread alone.
func TestReadOnlyCacheIsUsed(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir)
	path, tree := putBlob(t, c, "x"), putDir(t, c, "kind", "key")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Skip("mounting needs root:", err)
	}
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount(dir, dir, "", unix.MS_BIND, ""),
		unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // so that dir can be removed
	t.Setenv(limitVariable, "1")                                 // which it exceeds
	c = open(t, dir)
	if putBlob(t, c, "x") != path || putDir(t, c, "kind", "key") != tree {
		t.Error("the entries moved")
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

func TestHardLinksAreCountedOnce(t *testing.T) {
	c := open(t, t.TempDir())
	part := putDir(t, c, "a-part", "1")
	alone := usage(t, c)
	// As a toolbox's tree shares the files of its packages.
	whole, err := c.Dir(t.Context(), "b-whole", "1", func(_ context.Context, dir string) error {
		return os.Link(filepath.Join(part, "a"), filepath.Join(dir, "a"))
	})
	if err != nil {
		t.Fatal(err)
	}
	both, shared := usage(t, c), int64(len(bulk))
	if both-alone >= shared {
		t.Errorf("a tree of links takes %d bytes more", both-alone)
	}
	if removed, _ := prune(t, c, both); removed != 0 {
		t.Errorf("removed %d entries at the limit", removed)
	}
	age(t, part, time.Hour)
	// The shared file stays, so that its first holder frees the second file only.
	removed, freed := prune(t, c, both-1)
	if removed != 1 || there(part) || !there(whole) || freed > alone-shared {
		t.Errorf("removed %d entries and %d bytes of %d", removed, freed, alone)
	}
	if left := usage(t, c); left != both-freed || left < shared {
		t.Errorf("%d bytes are left of %d", left, both)
	}
	if removed, freed := prune(t, c, 0); removed != 1 || freed < shared {
		t.Errorf("then removed %d entries and %d bytes", removed, freed)
	}
}

func TestHolesTakeNoSpace(t *testing.T) {
	c := open(t, t.TempDir())
	if _, err := c.Dir(t.Context(), "snapshot", "1", func(_ context.Context, dir string) error {
		path := filepath.Join(dir, "memory")
		return errors.Join(os.WriteFile(path, []byte(content), 0o644), os.Truncate(path, 64<<20))
	}); err != nil {
		t.Fatal(err)
	}
	if got := usage(t, c); got <= 0 || got > 1<<20 {
		t.Errorf("a file of 64 MiB with little in it takes %d bytes", got)
	}
}

func TestUsageIsByKind(t *testing.T) {
	c := open(t, t.TempDir())
	age(t, putDir(t, c, "b", "1"), 2*time.Hour)
	age(t, putDir(t, c, "b", "2"), 3*time.Hour)
	age(t, putDir(t, c, "b", "3"), time.Hour)
	putDir(t, c, "a", "1")
	putBlob(t, c, "x")
	kinds, err := c.Usage()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name)
		if k.Bytes < int64(k.Entries*len(bulk)) {
			t.Errorf("%d entries of %s take %d bytes", k.Entries, k.Name, k.Bytes)
		}
	}
	if want := []string{"blob", "a", "b"}; !slices.Equal(names, want) {
		t.Fatalf("kinds are %v, want %v", names, want)
	}
	b := kinds[2]
	if b.Entries != 3 || time.Since(b.Oldest).Round(time.Hour) != 3*time.Hour || time.Since(b.Newest).Round(time.Hour) != time.Hour {
		t.Errorf("%+v, want 3 entries used 3 hours to 1 hour ago", b)
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
		c.path("toolbox-last", "amd64-arm64.json"), // as harness/machine/toolbox keeps it
		c.path("toolbox-last", "manifest.json"),
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
