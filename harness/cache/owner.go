package cache

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// own returns an error unless the cache belongs to this user or to root alone. Programs
// are run from the cache, and what is in it is believed: whoever can write there is this
// user.
func (c *Cache) own() error {
	parent := filepath.Dir(c.dir)
	info, err := os.Stat(parent)
	if err != nil {
		return c.explain("check who owns", err)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return c.refuse(parent, "others may rename what is in it (mode %v)", info.Mode().Perm())
	}
	// A link of this user's may lead to a larger disk.
	if err := c.owns(c.dir, os.Lstat); err != nil {
		return err
	}
	if err := c.owns(c.dir, os.Stat); err != nil {
		return err
	}
	kinds, err := os.ReadDir(c.dir)
	if err != nil {
		return c.explain("check who owns", err)
	}
	for _, k := range kinds {
		if err := c.owns(filepath.Join(c.dir, k.Name()), os.Lstat); err != nil {
			return err
		}
	}
	return nil
}

// owns returns an error if somebody else owns the path or may write to it.
func (c *Cache) owns(path string, stat func(string) (fs.FileInfo, error)) error {
	info, err := stat(path)
	if err != nil {
		return c.explain("check who owns", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return c.refuse(path, "nothing says who owns it")
	case owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return c.refuse(path, "it belongs to user %d, and this is user %d", owner.Uid, os.Geteuid())
	case info.Mode()&fs.ModeSymlink != 0:
		return nil // its mode means nothing
	// Where every user has a group of his own, the files that he makes may be writable to it.
	case info.Mode().Perm()&0o002 != 0, info.Mode().Perm()&0o020 != 0 && int(owner.Gid) != os.Getegid():
		return c.refuse(path, "others may write to it (mode %v)", info.Mode().Perm())
	}
	return nil
}

func (c *Cache) refuse(path, why string, args ...any) error {
	return fmt.Errorf("use the cache %s: %s cannot be trusted: %s; set XDG_CACHE_HOME to a folder of your own, or correct the owner and the permissions if you know the content",
		c.dir, path, fmt.Sprintf(why, args...))
}
