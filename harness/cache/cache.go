// Package cache keeps downloads, and what is built from them, on disk. Several runs
// may use it at once. A damaged entry is detected and made again.
//
// Layout below the root: blob/ab/<sha256> for files known by their content;
// <kind>/<key>/{tree,manifest.json} for directories built from a key; work/ for
// entries that are being made or removed; lock/ for one lock file per entry and one
// for all users of the cache. An entry appears and disappears by rename, so it is
// whole or absent. When the cache grows too large, the entries used longest ago are
// removed.
package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// lockPoll is the time between two attempts to take the lock of another process. A
// context cannot end a wait in flock(2). Waiters of one process wait for an event.
const lockPoll = 50 * time.Millisecond

// Cache is a directory of entries. It is safe for concurrent use.
type Cache struct {
	dir   string
	limit int64        // bytes
	users *flock.Flock // shared: entries are in use; exclusive: they may be removed

	mu   sync.Mutex
	busy map[string]chan struct{} // entry -> closed when its holder is done
}

// Open returns the cache in dir, and makes it if it is missing. An empty dir means
// $XDG_CACHE_HOME/mapstack, or ~/.cache/mapstack. If no other process uses the
// cache, Open first prunes it to its limit: DefaultLimit or MAPSTACK_CACHE_LIMIT. It
// removes unfinished entries of runs that were killed. Until this process ends,
// nobody prunes the cache.
func Open(dir string) (*Cache, error) {
	c, err := attach(dir)
	if err != nil {
		return nil, err
	}
	if err := c.tidy(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c.join()
}

// Inspect opens the cache like Open, and removes nothing.
func Inspect(dir string) (*Cache, error) {
	c, err := attach(dir)
	if err != nil {
		return nil, err
	}
	return c.join()
}

func attach(dir string) (*Cache, error) {
	limit, err := limitFromEnvironment()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find a place for the cache: %w; set XDG_CACHE_HOME to an absolute path", err)
		}
		dir = filepath.Join(base, "mapstack")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	c := &Cache{dir: dir, limit: limit, busy: make(map[string]chan struct{})}
	// No entry has a lock of this name: their names have a hyphen.
	c.users = flock.New(c.path("lock", "users"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, c.explain("create the cache", err)
	}
	if err := c.own(); err != nil {
		return nil, err
	}
	for _, d := range []string{"blob", "work", "lock"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, c.explain("create the cache", err)
		}
	}
	return c, nil
}

// tidy prunes the cache if nobody else uses it, and sweeps.
func (c *Cache) tidy() error {
	alone, err := c.users.TryLock()
	if err != nil {
		return c.explain("lock the cache", err)
	}
	if alone {
		// A cache that cannot be written does not grow, and can be used.
		if _, _, err := c.prune(c.limit); err != nil && !notWritable(err) {
			return err
		}
	}
	return c.sweep()
}

// join makes this process a user of the cache. It waits for a process that prunes.
func (c *Cache) join() (*Cache, error) {
	if err := c.users.RLock(); err != nil {
		_ = c.Close()
		return nil, c.explain("lock the cache", err)
	}
	keep(c.users)
	return c, nil
}

// keep saves the lock from the garbage collector, which would close its file. A
// machine may run from the cache long after the last call of a Cache.
func keep(users *flock.Flock) { runtime.SetFinalizer(users, keep) }

// Close lets others prune the cache. The end of the process does the same. The Cache
// must not be used afterwards.
func (c *Cache) Close() error {
	runtime.SetFinalizer(c.users, nil)
	return c.users.Close()
}

// Limit returns the size in bytes that Open prunes the cache to.
func (c *Cache) Limit() int64 { return c.limit }

// Root returns the cache's directory.
func (c *Cache) Root() string { return c.dir }

func (c *Cache) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// entryName is the form of a kind and of a key: both become file names.
var entryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$`)

// lock holds the entry against every other goroutine and process until the
// returned function is called.
func (c *Cache) lock(ctx context.Context, entry string) (func(), error) {
	for {
		c.mu.Lock()
		held, ok := c.busy[entry]
		if !ok {
			done := make(chan struct{})
			c.busy[entry] = done
			c.mu.Unlock()
			unlock, err := c.lockFile(ctx, entry)
			release := func() {
				if unlock != nil {
					unlock()
				}
				c.mu.Lock()
				delete(c.busy, entry)
				c.mu.Unlock()
				close(done)
			}
			if err != nil {
				release()
				return nil, err
			}
			return release, nil
		}
		c.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for cache entry %s, which this run is making: %w", entry, context.Cause(ctx))
		}
	}
}

func (c *Cache) lockFile(ctx context.Context, entry string) (func(), error) {
	l := flock.New(c.path("lock", entry))
	if _, err := l.TryLockContext(ctx, lockPoll); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait for cache entry %s, which another run holds: %w", entry, context.Cause(ctx))
		}
		return nil, c.explain("lock entry "+entry, err)
	}
	// The lock file stays: removing it would let two holders lock two inodes.
	return func() { _ = l.Close() }, nil
}

// keepBegun is how long the beginning of a download is kept.
const keepBegun = 7 * 24 * time.Hour

// sweep removes unfinished work whose run has ended. Work has the name of its
// entry's lock: if the lock is free, the run is gone. A download that was begun stays for
// keepBegun, because
// a later run goes on with it.
func (c *Cache) sweep() error {
	left, err := os.ReadDir(c.path("work"))
	if err != nil {
		return c.explain("list unfinished work", err)
	}
	for _, e := range left {
		l := flock.New(c.path("lock", e.Name()))
		ok, err := l.TryLock()
		if err != nil || !ok {
			continue
		}
		if info, failed := e.Info(); failed == nil && info.Mode().IsRegular() && strings.HasPrefix(e.Name(), "blob-") && time.Since(info.ModTime()) < keepBegun {
			_ = l.Close()
			continue
		}
		err = removeTree(c.path("work", e.Name()))
		_ = l.Close()
		if err != nil {
			return c.explain("remove unfinished work of an earlier run", err)
		}
	}
	return nil
}

// explained is an error that already says what to do.
type explained struct{ error }

func (e *explained) Unwrap() error { return e.error }

// explain adds to an error of the file system what to do about it. Building one
// entry may need another; the innermost explanation is kept.
func (c *Cache) explain(doing string, err error) error {
	var already *explained
	if errors.As(err, &already) {
		return err
	}
	return &explained{c.advise(doing, err)}
}

func (c *Cache) advise(doing string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s in the cache %s: the disk is full; free space there or set XDG_CACHE_HOME to a larger file system: %w", doing, c.dir, err)
	case notWritable(err):
		return fmt.Errorf("%s in the cache %s: it is not writable; correct its permissions or set XDG_CACHE_HOME to a writable directory: %w", doing, c.dir, err)
	}
	return fmt.Errorf("%s in the cache %s: %w", doing, c.dir, err)
}

func notWritable(err error) bool {
	return errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// removeTree removes path, also where directories inside have no write permission,
// as in unpacked packages.
func removeTree(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	err := filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(p, 0o755)
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.RemoveAll(path)
}
