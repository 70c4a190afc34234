package kernel

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/quarantine"
)

// cacheKind is the kind of extracted kernels in the cache.
const cacheKind = "kernel"

// Resolver finds the kernels of cells. It is safe for concurrent use. A kernel that
// several cells share is downloaded and unwrapped once.
type Resolver struct {
	// Supplied returns the path of the kernel that the user supplied for an
	// architecture.
	Supplied func(arch.Record) (string, error)
	// Config returns a fragment of the configuration of kernels that are built here, by
	// its name.
	Config func(name string) ([]byte, error)
	// Quarantine is where kernels that somebody supplied are read.
	Quarantine quarantine.Program

	archive Archive
	cache   *cache.Cache
	lock    Lock
	locked  bool
	sink    progress.Sink
	unwraps chan struct{} // one token per unwrap under way: each needs a core and some 150 MB
	builds  chan struct{} // the token of the build under way, which uses every core

	mu     sync.Mutex
	warned map[string]bool // what was shown
	taken  map[string]Pin  // what was taken in place of a kernel that is gone, by the SHA-256 of its package
}

// NewResolver returns a resolver. If locked is true, it accepts only pinned kernels.
// Otherwise it accepts the present kernel of a suite, and warns if it differs from
// the lock.
func NewResolver(a Archive, c *cache.Cache, lock Lock, locked bool, sink progress.Sink) *Resolver {
	return &Resolver{
		archive: a, cache: c, lock: lock, locked: locked, sink: sink,
		unwraps: make(chan struct{}, runtime.GOMAXPROCS(0)), builds: make(chan struct{}, 1), warned: make(map[string]bool), taken: make(map[string]Pin),
	}
}

// Resolve returns the packages that hold a cell's kernel, without downloading any. A
// supplied kernel has none. After Image it returns those that could be had.
func (r *Resolver) Resolve(ctx context.Context, cell matrix.Cell) (Pin, error) {
	pin, _, err := r.resolve(ctx, cell)
	return r.instead(pin), err
}

// Image returns a cell's kernel, ready to boot.
func (r *Resolver) Image(ctx context.Context, cell matrix.Cell) (Image, error) {
	switch cell.Kernel.From {
	case matrix.Source:
		return r.built(ctx, cell)
	case matrix.Supplied:
		rec, err := arch.Lookup(cell.Arch)
		if err != nil {
			return Image{}, err
		}
		path, err := r.Supplied(rec)
		if err != nil {
			return Image{}, err
		}
		return r.supplied(ctx, path, rec)
	case matrix.Given:
		return Image{}, fmt.Errorf("cell %s was made of a file that a command line named, and the matrix does not have that file", cell.Name)
	}
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return Image{}, err
	}
	machine, err := rec.Machine(cell.Machine)
	if err != nil {
		return Image{}, err
	}
	return r.obtain(ctx, cell, func(ctx context.Context, pin Pin, warning string, from fetcher) (Image, error) {
		key := pin.cacheKey(rec)
		if machine.FiveLevels {
			key = sum([]byte(key + string(BzImage)))
		}
		dir, err := r.cache.Dir(ctx, cacheKind, key, func(ctx context.Context, dir string) error {
			return r.build(ctx, pin, rec, machine.FiveLevels, from, dir)
		})
		if err != nil {
			return Image{}, fmt.Errorf("kernel of cell %s, package %s %s: %w", cell.Name, pin.Image.Package, pin.Image.Version, err)
		}
		image, err := load(dir)
		if err != nil {
			return Image{}, err
		}
		image.Provenance = pin.provenance(r.locked, warning)
		return image, nil
	})
}

// Shipped returns the kernel of a cell as its package holds it, still compressed. It
// is the image that others boot, for comparison.
func (r *Resolver) Shipped(ctx context.Context, cell matrix.Cell) ([]byte, error) {
	pin, err := r.Resolve(ctx, cell)
	if err != nil {
		return nil, err
	}
	deb, err := r.fetch(ctx, pin, pin.Image, r.archive.Fetch)
	if err != nil {
		return nil, err
	}
	found, err := pick(ctx, deb, want{imagePaths(pin.Release), maxPlain})
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, fmt.Errorf("package %s %s holds no kernel", pin.Image.Package, pin.Image.Version)
	}
	return found[0], nil
}

// resolve also returns how the result differs from the lock, or "".
func (r *Resolver) resolve(ctx context.Context, cell matrix.Cell) (Pin, string, error) {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return Pin{}, "", err
	}
	k := cell.Kernel
	pinned, inLock := r.pinned(cell)
	if r.locked {
		if !inLock {
			return Pin{}, "", fmt.Errorf("kernel of cell %s: kernels.lock has no entry for %s of %s on %s, and LOCKED=1 accepts nothing else; add it with bin/mapstack fetch --update-lock, or run without LOCKED",
				cell.Name, k.Package, k.Suite, packaged(cell, rec))
		}
		if err := pinned.checkSeries(k.Series); err != nil {
			return Pin{}, "", fmt.Errorf("kernel of cell %s, from kernels.lock: %w", cell.Name, err)
		}
		return pinned, "", nil
	}
	r.sink(progress.Event{Cell: cell.Name, Stage: progress.Resolve, What: k.Package + " of " + k.Suite})
	pin, err := r.find(ctx, r.archive, cell)
	r.sink(progress.Event{Cell: cell.Name, Stage: progress.Resolve, What: k.Package + " of " + k.Suite, End: true, Err: err})
	if err != nil {
		return Pin{}, "", fmt.Errorf("kernel of cell %s: %w", cell.Name, err)
	}
	if !inLock || pin.same(pinned) {
		return pin, "", nil
	}
	warning := fmt.Sprintf("%s of %s is now %s %s; kernels.lock has %s %s",
		k.Package, k.Suite, pin.Image.Package, pin.Image.Version, pinned.Image.Package, pinned.Image.Version)
	r.warn(cell.Name, cell.Name, warning)
	return pin, warning, nil
}

// warn shows a warning of a cell once for each key.
func (r *Resolver) warn(key, cell, warning string) {
	r.mu.Lock()
	shown := r.warned[key]
	r.warned[key] = true
	r.mu.Unlock()
	if !shown {
		r.sink(progress.Event{Cell: cell, Stage: progress.Warning, What: warning})
	}
}

// build fetches a pin's packages and extracts the kernel into dir, in its bzImage if asked to.
func (r *Resolver) build(ctx context.Context, pin Pin, rec arch.Record, bzImage bool, from fetcher, dir string) error {
	image, err := r.fetch(ctx, pin, pin.Image, from)
	if err != nil {
		return err
	}
	config := ""
	if pin.Config != nil {
		if config, err = r.fetch(ctx, pin, *pin.Config, from); err != nil {
			return err
		}
	}
	select {
	case r.unwraps <- struct{}{}:
		defer func() { <-r.unwraps }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	what := pin.Image.Package + " " + pin.Image.Version
	r.sink(progress.Event{Stage: progress.Unpack, What: what})
	err = extract(ctx, pin, image, config, dir, rec, bzImage)
	r.sink(progress.Event{Stage: progress.Unpack, What: what, End: true, Err: err})
	return err
}

func (r *Resolver) fetch(ctx context.Context, pin Pin, f File, from fetcher) (string, error) {
	path, err := from(ctx, f.in(pin))
	if err != nil && r.locked && ctx.Err() == nil {
		return "", fmt.Errorf("kernels.lock pins %s %s: %w; if the mirror has dropped that version, set "+debian.SnapshotVariable+" to one that keeps old versions, or pin the present one with bin/mapstack fetch --update-lock", f.Package, f.Version, err)
	}
	return path, err
}

// cacheKey covers everything that decides the output of extract.
func (p Pin) cacheKey(rec arch.Record) string {
	parts := []string{unwrapVersion, rec.GOARCH, p.Release, p.Image.SHA256}
	if p.Config != nil {
		parts = append(parts, p.Config.SHA256)
	}
	return sum([]byte(strings.Join(parts, "\n")))
}
