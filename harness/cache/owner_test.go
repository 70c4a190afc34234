package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestACacheOfSomebodyElseIsRefused fails if a folder that another user made, or may
// write to, is believed: a program of his would run.
func TestACacheOfSomebodyElseIsRefused(t *testing.T) {
	const other = 65534
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string) error
		root  bool // only root can make it
		want  string
	}{
		"another made the cache":        {func(_ *testing.T, dir string) error { return os.Chown(dir, other, other) }, true, "it belongs to user 65534"},
		"another made a kind":           {func(_ *testing.T, dir string) error { return os.Chown(filepath.Join(dir, "blob"), other, other) }, true, "it belongs to user 65534"},
		"another made a link to a kind": {func(_ *testing.T, dir string) error { return linkOf(other, "/", filepath.Join(dir, "toolbox-1")) }, true, "it belongs to user 65534"},
		"all may write to the cache":    {func(_ *testing.T, dir string) error { return os.Chmod(dir, 0o777) }, false, "others may write to it"},
		"a group may write to a kind": {func(_ *testing.T, dir string) error {
			work := filepath.Join(dir, "work")
			return errors.Join(os.Chown(work, -1, other), os.Chmod(work, 0o775))
		}, true, "others may write to it"},
		"all may rename the cache itself": {func(_ *testing.T, dir string) error { return os.Chmod(filepath.Dir(dir), 0o777) }, false, "others may rename what is in it"},
		"another made a link to a cache of mine": {func(t *testing.T, dir string) error {
			moved := filepath.Join(t.TempDir(), "moved")
			if err := os.Rename(dir, moved); err != nil {
				return err
			}
			return linkOf(other, moved, dir)
		}, true, "it belongs to user 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root can give a file to another user")
			}
			parent := t.TempDir()
			dir := filepath.Join(parent, "mapstack")
			first, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(t, dir); err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(string) (*Cache, error){Open, Inspect} {
				if _, err := open(dir); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
					t.Errorf("%v, want %q and what to do", err, c.want)
				}
			}
		})
	}
}

func linkOf(user int, to, path string) error {
	if err := os.Symlink(to, path); err != nil {
		return err
	}
	return os.Lchown(path, user, user)
}

// TestACacheOfMyOwnIsUsed fails if a cache is refused that nobody else can touch.
func TestACacheOfMyOwnIsUsed(t *testing.T) {
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(shared, "mapstack")
	for range 2 {
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("it is %v, %v; others can read it", info.Mode(), err)
	}
	link := filepath.Join(t.TempDir(), "mapstack")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(link); err != nil {
		t.Errorf("a link of mine: %v", err)
	}
}

func TestALinkInTheWorkFolderIsNotFollowed(t *testing.T) {
	c, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	const text = "new"
	if err := os.Symlink(precious, c.path("work", "blob-"+sumOf(text))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Blob(t.Context(), sumOf(text), int64(len(text)), (&source{text: text}).fetch); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(precious); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}
