package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Kind is the number and the size of the entries of one kind.
type Kind struct {
	Name    string    `json:"name"` // "blob", or the kind given to Dir
	Entries int       `json:"entries"`
	Bytes   int64     `json:"bytes"` // of disk; what kinds share counts for the first of them
	Oldest  time.Time `json:"oldest"`
	Newest  time.Time `json:"newest"` // of the entries' last uses, as Oldest
}

// Usage lists the kinds that have entries: blobs first, the others by name. It does
// not count other files in the cache's folder. An entry that another process
// replaces meanwhile may be missing. An error comes from the file system.
func (c *Cache) Usage() ([]Kind, error) {
	entries, err := c.entries()
	if err != nil {
		return nil, err
	}
	var kinds []Kind
	seen := make(map[uint64]bool)
	for _, e := range entries {
		if len(kinds) == 0 || kinds[len(kinds)-1].Name != e.kind {
			kinds = append(kinds, Kind{Name: e.kind, Oldest: e.used, Newest: e.used})
		}
		k := &kinds[len(kinds)-1]
		k.Entries++
		if e.used.Before(k.Oldest) {
			k.Oldest = e.used
		}
		if e.used.After(k.Newest) {
			k.Newest = e.used
		}
		for inode, bytes := range e.inodes {
			if !seen[inode] {
				seen[inode] = true
				k.Bytes += bytes
			}
		}
	}
	return kinds, nil
}

// noteUse stores the time of use as the access time of the entry's stamp: a blob's
// modification time says that it was checked. A manifest just written has the time
// already. Errors are ignored: a cache that cannot be written can be used.
func noteUse(stamp string) { _ = os.Chtimes(stamp, time.Now(), time.Time{}) }

// entry is a blob or a directory as it lies on disk.
type entry struct {
	kind, key string // of a blob, key is its SHA-256
	path      string
	stamp     string // the file that has the time of last use, see noteUse
	used      time.Time
	// inodes are the bytes of disk by inode number. Entries share inodes by
	// hard links; all are on one file system, since they came by rename.
	inodes map[uint64]int64
}

// name returns the name of the entry's lock, and of its place in work.
func (e entry) name() string { return e.kind + "-" + e.key }

// entries returns the entries of Blob and Dir, grouped by kind.
func (c *Cache) entries() ([]entry, error) {
	var found []entry
	for _, pattern := range []string{"blob/*/*", "*/*/manifest.json"} {
		names, err := fs.Glob(os.DirFS(c.dir), pattern)
		if err != nil {
			return nil, c.explain("list the entries", err)
		}
		for _, name := range names {
			e, ok := c.entryOf(name)
			if !ok {
				continue
			}
			ok, err := e.measure()
			if err != nil {
				return nil, c.explain("measure "+e.name(), err)
			}
			if ok {
				found = append(found, e)
			}
		}
	}
	return found, nil
}

// entryOf returns the entry that a stamp belongs to, and whether it is one. stamp
// has three elements below the root. Other packages keep files in the cache's folder
// too.
func (c *Cache) entryOf(stamp string) (entry, bool) {
	part := strings.Split(stamp, "/")
	e := entry{kind: part[0], key: part[1], path: c.path(part[0], part[1]), stamp: c.path(part...)}
	if e.kind == "blob" {
		e.key, e.path = part[2], e.stamp
		return e, ValidSHA256(e.key) && e.key[:2] == part[1]
	}
	return e, entryName.MatchString(e.kind) && !reserved(e.kind) && entryName.MatchString(e.key)
}

// measure reads the entry's time and sizes. It returns false if there is no entry,
// or no longer.
func (e *entry) measure() (bool, error) {
	stamp, err := os.Lstat(e.stamp)
	if err == nil && (!stamp.Mode().IsRegular() || e.kind != "blob" && !isDir(treeOf(e.path))) {
		return false, nil
	}
	if err == nil {
		e.used = time.Unix(stamp.Sys().(*syscall.Stat_t).Atim.Unix())
		e.inodes = make(map[uint64]int64)
		err = filepath.WalkDir(e.path, e.add)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, err
}

func isDir(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.IsDir()
}

func (e *entry) add(_ string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	// Blocks, not the length: snapshots have holes. stat(2) counts in units of 512
	// bytes on every file system.
	st := info.Sys().(*syscall.Stat_t)
	e.inodes[st.Ino] = st.Blocks * 512
	return nil
}
