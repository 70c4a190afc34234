package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/source/decompress"
)

// openPlain opens a file that is no container: a kernel, or a compressed file, which
// may hold a disk. A disk is unpacked to plain.
func openPlain(ctx context.Context, f *os.File, size int64, plain *os.File) (Found, *foreignDisk, error) {
	head := make([]byte, 16)
	n, _ := f.ReadAt(head, 0) // a shorter file has a shorter head
	format := decompress.Detect(head[:n])
	if format != decompress.None {
		head, err := opened(ctx, f, format)
		if err != nil {
			return Found{}, nil, err
		}
		if identify(head) == diskFile {
			return openCompressed(ctx, f, size, format, plain)
		}
	}
	if size > maxKernel {
		return Found{}, nil, fmt.Errorf("it has %d bytes, more than the %d allowed for a kernel, and is no disk with a partition table or a file system known here", size, maxKernel)
	}
	b, err := bounded(io.NewSectionReader(f, 0, size), maxKernel)
	if err != nil {
		return Found{}, nil, err
	}
	return Found{Kernel: b, Chain: []string{"file"}}, nil, nil
}

// opened returns the first bytes that a compressed file unpacks to.
func opened(ctx context.Context, f *os.File, format decompress.Format) ([]byte, error) {
	z, err := decompress.Reader(ctx, io.NewSectionReader(f, 0, 1<<62), format)
	if err != nil {
		return nil, fmt.Errorf("its %s stream cannot be read: %w", format, err)
	}
	defer z.Close()
	head := make([]byte, headLen)
	n, err := io.ReadFull(z, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("its %s stream is damaged: %w", format, err)
	}
	return head[:n], nil
}

// openCompressed unpacks a disk before it is read: reading it needs seeks.
func openCompressed(ctx context.Context, f *os.File, packed int64, format decompress.Format, plain *os.File) (Found, *foreignDisk, error) {
	z, err := decompress.Reader(ctx, io.NewSectionReader(f, 0, 1<<62), format)
	if err != nil {
		return Found{}, nil, err
	}
	defer z.Close()
	size, err := io.Copy(&holes{f: plain, limit: unpackedLimit(packed)}, z)
	if err != nil {
		return Found{}, nil, fmt.Errorf("unpack the disk from its %s stream: %w", format, err)
	}
	if err := plain.Truncate(size); err != nil {
		return Found{}, nil, fmt.Errorf("unpack the disk: %w", err)
	}
	found, foreign, err := openDisk(plain, size)
	found.Chain = append([]string{string(format)}, found.Chain...)
	if foreign != nil {
		foreign.Chain, foreign.Unpacked = append([]string{string(format)}, foreign.Chain...), true
	}
	return found, foreign, err
}

// Bounds of what a compressed disk may unpack to. Zeroes take no room, and other content
// does not compress so well.
const (
	freeRatio = 1 << 30 // bytes that any stream may unpack to
	maxRatio  = 1000    // bytes for each byte of the stream, above freeRatio
)

// unpackedLimit returns how many bytes a compressed disk of that size may unpack to.
func unpackedLimit(packed int64) int64 {
	return min(maxDisk, max(freeRatio, packed*maxRatio))
}

// holes writes a file and leaves holes for zeroes: most of a disk is zero. It leaves some
// room to the other users of the file system.
type holes struct {
	f       *os.File
	limit   int64 // bytes, with the holes
	at      int64
	written int64 // bytes since the room was measured
}

// roomEvery is how many bytes are written between two measurements of the room.
const roomEvery = 64 << 20

func (h *holes) Write(p []byte) (int, error) {
	if h.at+int64(len(p)) > h.limit {
		return 0, fmt.Errorf("it holds more than the %d bytes that a disk of its compressed size may have; unpack it and give the plain image", h.limit)
	}
	if slices.ContainsFunc(p, func(b byte) bool { return b != 0 }) {
		if h.written == 0 || h.written >= roomEvery {
			if err := h.room(); err != nil {
				return 0, err
			}
			h.written = 0
		}
		if _, err := h.f.WriteAt(p, h.at); err != nil {
			return 0, err
		}
		h.written += int64(len(p))
	}
	h.at += int64(len(p))
	return len(p), nil
}

// room returns an error if less than a tenth of the file system is free.
func (h *holes) room() error {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(h.f.Fd()), &s); err != nil {
		return fmt.Errorf("measure the room on the file system: %w", err)
	}
	if s.Blocks > 0 && s.Bavail < s.Blocks/10 {
		return errors.New("less than a tenth of the file system with the cache is free; free space there or set XDG_CACHE_HOME to a larger file system")
	}
	return nil
}
