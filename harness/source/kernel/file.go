package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/quarantine"
)

// fileKind is a kernel that somebody supplied: as a file, in a package or on a disk.
const fileKind = "file"

// fileVersion is part of the cache key of such kernels, beside unwrapVersion. Raise it when
// more is kept of them.
const fileVersion = "2"

// Architecture returns the architecture that a kernel was built for, and the board in
// its record: the usual one for its release, unless the kernel says which. The kernel may be
// compressed. Every error names the file that holds the kernel.
func Architecture(ctx context.Context, q quarantine.Program, found intake.Found) (rec arch.Record, machine string, err error) {
	p, err := unwrapForeign(ctx, q, found.Kernel, false)
	if err == nil {
		rec, err = arch.Lookup(p.GOARCH)
	}
	if err != nil {
		return arch.Record{}, "", fmt.Errorf("%s: %w", found.From(), err)
	}
	version, err := release.Parse(bannerRelease(p.Banner))
	if err != nil {
		version = release.Release{} // the kernel does not say, which is no reason to refuse it
	}
	return rec, cmp.Or(p.Machine, rec.Usual(version)), nil
}

// supplied returns the kernel in a file that the user supplied.
func (r *Resolver) supplied(ctx context.Context, path string, rec arch.Record) (Image, error) {
	scratch, release, err := r.cache.Scratch()
	if err != nil {
		return Image{}, err
	}
	found, err := intake.Opener{Quarantine: r.Quarantine}.Open(ctx, path, scratch)
	if err := errors.Join(err, release()); err != nil {
		return Image{}, err
	}
	return r.Found(ctx, filepath.Base(path), found, rec)
}

// Found returns the unwrapped kernel that was found in the file of that name.
func (r *Resolver) Found(ctx context.Context, name string, found intake.Found, rec arch.Record) (Image, error) {
	key := sum([]byte(strings.Join([]string{unwrapVersion, fileVersion, rec.GOARCH, fileKind, sum(found.Kernel), sum(found.Config)}, "\n")))
	dir, err := r.cache.Dir(ctx, cacheKind, key, func(ctx context.Context, dir string) error {
		r.sink(progress.Event{Stage: progress.Unpack, What: name})
		plain, err := unwrapForeign(ctx, r.Quarantine, found.Kernel, true)
		if err == nil && plain.GOARCH != rec.GOARCH {
			err = &WrongArchError{Want: rec.GOARCH, Got: plain.GOARCH}
		}
		if err == nil {
			config := found.Config
			if config == nil {
				config = ikconfig(plain.Data)
			}
			err = store(dir, plain, config, bannerRelease(plain.Banner))
		}
		r.sink(progress.Event{Stage: progress.Unpack, What: name, End: true, Err: err})
		return err
	})
	if err != nil {
		return Image{}, fmt.Errorf("kernel in %s: %w", name, err)
	}
	image, err := load(dir)
	if err != nil {
		return Image{}, err
	}
	image.Provenance = Provenance{Kind: fileKind, Package: found.Package, Version: found.Version, Filename: name, SHA256: found.SHA256, Size: found.Size, Chain: found.Chain, Entries: found.Entries, Policy: found.Policy,
		Warning: strings.Join(found.Unread, "; ")}
	return image, nil
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > limit:
		return nil, fmt.Errorf("it has %d bytes, more than the %d allowed for a kernel", info.Size(), limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
