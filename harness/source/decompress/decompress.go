// Package decompress opens compressed streams of every format that kernels and
// packages use. Its input may be hostile. The package bounds the memory of a
// decoder; the caller must bound the output.
package decompress

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/therootcompany/xz"
	"github.com/ulikunitz/xz/lzma"
)

// Format is a compression format.
type Format string

const (
	None  Format = "none"
	Gzip  Format = "gzip"
	Bzip2 Format = "bzip2"
	XZ    Format = "xz"
	Zstd  Format = "zstd"
	LZ4   Format = "lz4" // frames, and the legacy frames of kernel images
	LZMA  Format = "lzma"
)

// maxWindow is the largest dictionary or window a stream may ask for. Linux
// compresses with zstd -22, whose window is 128 MiB, and with xz dictionaries
// up to 128 MiB (scripts/Makefile.lib, scripts/xz_wrap.sh).
const maxWindow = 128 << 20

// magics are the first bytes of each format.
var magics = []struct {
	format Format
	magic  string
}{
	{Gzip, "\x1f\x8b\x08"},
	{Bzip2, "BZh"},
	{XZ, "\xfd7zXZ\x00"},
	{Zstd, "\x28\xb5\x2f\xfd"},
	{LZ4, "\x04\x22\x4d\x18"},
	{LZ4, "\x02\x21\x4c\x18"}, // legacy frame
	{LZMA, "\x5d\x00\x00"},    // no real magic: lc=3 lp=0 pb=2 and a dictionary of at least 64 KiB, as every encoder writes
}

// Detect returns the format of a stream by its first bytes. It returns None if they
// begin no known format.
func Detect(head []byte) Format {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.format
		}
	}
	return None
}

// Reader decompresses r. It does not close r. Close releases the decoder and may be
// called before the end. Reads fail once ctx is done. r must end with the compressed
// stream: most formats report what follows as damage.
func Reader(ctx context.Context, r io.Reader, f Format) (io.ReadCloser, error) {
	src := &source{ctx: ctx, r: r}
	z, err := open(ctx, src, f)
	if err != nil {
		return nil, fmt.Errorf("opening a %s stream: %w", f, err)
	}
	return &stream{format: f, ReadCloser: z}, nil
}

func open(ctx context.Context, src *source, f Format) (io.ReadCloser, error) {
	switch f {
	case None:
		return io.NopCloser(src), nil
	case Gzip:
		return gzip.NewReader(src)
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(src)), nil
	case XZ:
		// xz(1) is 1.5 times as fast as the library and uses all cores.
		if path := xzUtils(ctx); path != "" {
			return startXZ(ctx, path, src)
		}
		return xzLibrary(src)
	case Zstd:
		// One worker, as for LZ4: other workers would go on reading the source of a
		// reader that is closed early.
		d, err := zstd.NewReader(src, zstd.WithDecoderMaxWindow(maxWindow),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case LZ4:
		d := lz4.NewReader(src)
		if err := d.Apply(lz4.ConcurrencyOption(1)); err != nil {
			return nil, err
		}
		return io.NopCloser(d), nil
	case LZMA:
		d, err := lzma.ReaderConfig{DictCap: maxWindow}.NewReader(bufio.NewReader(src))
		if err != nil {
			return nil, err
		}
		return io.NopCloser(d), nil
	}
	return nil, fmt.Errorf("format %q is not known; known are none, gzip, bzip2, xz, zstd, lz4 and lzma", f)
}

func xzLibrary(src io.Reader) (io.ReadCloser, error) {
	d, err := xz.NewReader(src, maxWindow)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(d), nil
}

// source fails reads when the context ends. It remembers why the input broke off, so
// that a failed download is not reported as a damaged stream.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// stream adds the format to every error.
type stream struct {
	io.ReadCloser
	format Format
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, fmt.Errorf("decompressing %s: %w", s.format, err)
}
