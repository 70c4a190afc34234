package cache

import (
	"fmt"
	"os"
	"slices"

	"github.com/gofrs/flock"
)

// Prune removes the entries used longest ago until the rest takes at most limit
// bytes of disk; 0 removes all. It returns the number of removed entries and the
// bytes that this freed. Entries that are being made stay. It is an error if another
// process, or another Cache of this process, uses the cache. Paths returned by the
// cache before are no longer valid.
func (c *Cache) Prune(limit int64) (removed int, freed int64, err error) {
	// flock(2) drops the shared lock anyway before it tries for the exclusive one. A
	// Flock that was exclusive once would believe that it still is.
	if err := c.users.Unlock(); err != nil {
		return 0, 0, c.explain("unlock the cache", err)
	}
	alone, err := c.users.TryLock()
	if err != nil {
		return 0, 0, c.explain("lock the cache", err)
	}
	if alone {
		if removed, freed, err = c.prune(limit); err == nil {
			err = c.sweep()
		}
	} else {
		err = fmt.Errorf("prune the cache %s: another run is using it; wait until it ends, or stop it, and prune again", c.dir)
	}
	if lockErr := c.users.RLock(); lockErr != nil && err == nil {
		err = c.explain("lock the cache", lockErr)
	}
	return removed, freed, err
}

// prune does the work of Prune. The caller must hold users exclusively.
func (c *Cache) prune(limit int64) (removed int, freed int64, err error) {
	entries, err := c.entries()
	if err != nil {
		return 0, 0, err
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.used.Compare(b.used) })
	var total int64
	holders := make(map[uint64]int) // entries by inode
	for _, e := range entries {
		for inode, bytes := range e.inodes {
			if holders[inode]++; holders[inode] == 1 {
				total += bytes
			}
		}
	}
	for _, e := range entries {
		if total-freed <= limit {
			break
		}
		ok, err := c.remove(e)
		if err != nil {
			return removed, freed, c.explain("remove "+e.name(), err)
		}
		if !ok {
			continue
		}
		removed++
		for inode, bytes := range e.inodes {
			if holders[inode]--; holders[inode] == 0 {
				freed += bytes
			}
		}
	}
	return removed, freed, nil
}

// remove moves the whole entry out of the cache before it deletes it, so an entry is
// never there in part. If the run is killed, a later sweep removes the rest from
// work. It returns false if somebody holds the entry.
func (c *Cache) remove(e entry) (bool, error) {
	l := flock.New(c.path("lock", e.name()))
	if ok, err := l.TryLock(); !ok {
		return false, err
	}
	defer l.Close()
	work := c.path("work", e.name())
	// Rename cannot replace the rest that a killed run may have left.
	if err := removeTree(work); err != nil {
		return false, err
	}
	if err := os.Rename(e.path, work); err != nil {
		return false, err
	}
	return true, removeTree(work)
}
