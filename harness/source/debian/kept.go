package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/harness/progress"
)

// The InRelease that was last seen of each mirror and suite is kept, and the one before it.
// A mirror cannot go back behind the first. The packages of the second may still be there
// when those of a new one are not yet.

// generation is one of the kept files.
type generation string

const (
	newest   generation = "InRelease"
	previous generation = "InRelease.previous"
)

// keptKind is the folder in the cache. It has no entries, so that nothing is pruned.
const keptKind = "release-last"

func (c *Client) keptFile(suite string, g generation) string {
	mirror := sha256.Sum256([]byte(c.mirror.Name()))
	if !ValidSuite(suite) { // of a Repository
		name := sha256.Sum256([]byte(suite))
		suite = hex.EncodeToString(name[:])
	}
	return filepath.Join(c.cache.Root(), keptKind, suite, hex.EncodeToString(mirror[:]), string(g))
}

// kept returns a release that was seen before; nil if there is none that is still good.
func (c *Client) kept(suite, file string) *Release {
	raw, err := os.ReadFile(file)
	if err != nil || len(raw) > maxInRelease {
		return nil
	}
	r, err := c.verify(raw, suite)
	if err != nil {
		return nil // it is damaged, or a key has expired since
	}
	return r
}

// latest returns the release that was just received, and keeps it. If it is older than the
// one that is kept, latest returns that one: whoever answers for the mirror may hold this
// host at old packages.
func (c *Client) latest(r *Release) *Release {
	last := c.kept(r.Suite, c.keptFile(r.Suite, newest))
	switch {
	case last == nil:
		c.keep(r, newest)
		return r
	case last.SHA256 == r.SHA256:
		return r
	case !r.Date.Before(last.Date):
		c.keep(last, previous)
		c.keep(r, newest)
		return r
	}
	older := fmt.Sprintf("%s of %s is of %s, and one of %s was seen before", inRelease(r.Suite), c.mirror.Name(), r.Date.UTC().Format(time.DateTime), last.Date.UTC().Format(time.DateTime))
	if c.mirror.AcceptOlder != "" {
		c.sink(progress.Event{Stage: progress.Warning, What: older + "; the older one is accepted because of " + c.mirror.AcceptOlder})
		return r
	}
	c.sink(progress.Event{Stage: progress.Warning, What: older + "; the newer one is used. The mirror is behind or held back; MAPSTACK_ACCEPT_OLDER=yes accepts it"})
	return last
}

// keep writes a release to the cache. A cache that cannot be written does not stop a run.
func (c *Client) keep(r *Release, g generation) {
	file := c.keptFile(r.Suite, g)
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = renameio.WriteFile(file, r.raw, 0o644)
	}
	if err != nil {
		c.sink(progress.Event{Stage: progress.Warning, What: fmt.Sprintf("the InRelease of %s cannot be kept in the cache, so that an older one would not be noticed: %v", r.Suite, err)})
	}
}

// errNoneKept means that no earlier release was seen, or that it is no longer good.
var errNoneKept = errors.New("no earlier InRelease of the suite is kept")

// Kept returns the packages of the newest release that was seen of any mirror, for a machine
// that cannot reach one. It is verified again.
func (c *Client) Kept(ctx context.Context, suite, arch string) (*Index, error) {
	if !ValidSuite(suite) || !ValidArch(arch) {
		return nil, fmt.Errorf("%q and %q are not the names of a suite and an architecture", suite, arch)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(c.keptFile(suite, newest))), "*", string(newest)))
	if err != nil {
		return nil, err
	}
	var best *Release
	for _, file := range files {
		if r := c.kept(suite, file); r != nil && (best == nil || r.Date.After(best.Date)) {
			best = r
		}
	}
	if best == nil {
		return nil, errNoneKept
	}
	return c.readIndex(ctx, best, debianComponent, arch)
}

// Previous returns the packages of the release before the present one. The mirror may have
// its index by its hash.
func (c *Client) Previous(ctx context.Context, suite, arch string) (*Index, error) {
	if !ValidSuite(suite) || !ValidArch(arch) {
		return nil, fmt.Errorf("%q and %q are not the names of a suite and an architecture", suite, arch)
	}
	r := c.kept(suite, c.keptFile(suite, previous))
	if r == nil {
		return nil, errNoneKept
	}
	return c.readIndex(ctx, r, debianComponent, arch)
}
