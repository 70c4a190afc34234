package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
