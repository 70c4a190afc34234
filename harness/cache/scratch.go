package cache

import (
	"errors"
	"fmt"
	"os"

	"github.com/gofrs/flock"
)

// maxScratch bounds how many scratch folders all runs may have at the same time.
const maxScratch = 1000

// Scratch returns an empty folder for files that nobody needs later. The caller must
// call release. What a killed run left is removed by a later one.
func (c *Cache) Scratch() (dir string, release func() error, err error) {
	for n := range maxScratch {
		entry := fmt.Sprintf("scratch-%d", n)
		l := flock.New(c.path("lock", entry))
		ok, err := l.TryLock()
		if err != nil {
			return "", nil, c.explain("lock "+entry, err)
		}
		if !ok {
			continue
		}
		dir := c.path("work", entry)
		release := func() error { return errors.Join(removeTree(dir), l.Close()) }
		if err := removeTree(dir); err != nil {
			return "", nil, c.explain("clear the place for "+entry, errors.Join(err, l.Close()))
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", nil, c.explain("make "+entry, errors.Join(err, l.Close()))
		}
		return dir, release, nil
	}
	return "", nil, fmt.Errorf("make a scratch folder in the cache %s: %d runs have one", c.dir, maxScratch)
}
