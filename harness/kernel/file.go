package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/harness/arch"
	"github.com/mapstack/conformance/harness/progress"
)

// fileKind is a kernel that somebody has as a file.
const fileKind = "file"

// File returns a kernel that somebody has as a file, whatever it is wrapped in.
// The file may be hostile; it is read once and never written.
func (r *Resolver) File(ctx context.Context, path string, rec arch.Record) (Image, error) {
	wrapped, err := readBounded(path, maxPlain)
	if err != nil {
		return Image{}, fmt.Errorf("kernel %s: %w", path, err)
	}
	digest := sum(wrapped)
	key := sum([]byte(strings.Join([]string{unwrapVersion, rec.GOARCH, fileKind, digest}, "\n")))
	dir, err := r.cache.Dir(ctx, cacheKind, key, func(ctx context.Context, dir string) error {
		what := filepath.Base(path)
		r.sink(progress.Event{Stage: progress.Unpack, What: what})
		plain, err := Unwrap(ctx, wrapped, rec)
		if err == nil {
			err = store(dir, plain, nil, bannerRelease(plain.Banner))
		}
		r.sink(progress.Event{Stage: progress.Unpack, What: what, End: true, Err: err})
		return err
	})
	if err != nil {
		return Image{}, fmt.Errorf("kernel %s: %w", path, err)
	}
	image, err := load(dir)
	if err != nil {
		return Image{}, err
	}
	image.Provenance = Provenance{Kind: fileKind, Filename: filepath.Base(path), SHA256: digest, Size: int64(len(wrapped))}
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
