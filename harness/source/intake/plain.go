package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mapstack/conformance/harness/source/decompress"
)

// openPlain opens a file that is no container: a kernel, or a compressed file, which
// may hold a disk.
func openPlain(ctx context.Context, f *os.File, size int64, scratch string, help Helper) (Found, error) {
	head := make([]byte, 16)
	n, _ := f.ReadAt(head, 0) // a shorter file has a shorter head
	format := decompress.Detect(head[:n])
	if format != decompress.None {
		head, err := opened(ctx, f, format)
		if err != nil {
			return Found{}, err
		}
		if identify(head) == diskFile {
			return openCompressed(ctx, f, format, scratch, help)
		}
	}
	if size > maxKernel {
		return Found{}, fmt.Errorf("it has %d bytes, more than the %d allowed for a kernel, and is no disk with a partition table or a file system known here", size, maxKernel)
	}
	b, err := bounded(io.NewSectionReader(f, 0, size), maxKernel)
	if err != nil {
		return Found{}, err
	}
	return Found{Kernel: b, Chain: []string{"file"}}, nil
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
func openCompressed(ctx context.Context, f *os.File, format decompress.Format, scratch string, help Helper) (Found, error) {
	z, err := decompress.Reader(ctx, io.NewSectionReader(f, 0, 1<<62), format)
	if err != nil {
		return Found{}, err
	}
	defer z.Close()
	plain, err := os.CreateTemp(scratch, "disk-*")
	if err != nil {
		return Found{}, fmt.Errorf("unpack the disk: %w", err)
	}
	defer os.Remove(plain.Name())
	defer plain.Close()
	size, err := io.Copy(&holes{f: plain}, io.LimitReader(z, maxDisk+1))
	if err != nil {
		return Found{}, fmt.Errorf("unpack the disk from its %s stream: %w", format, err)
	}
	if size > maxDisk {
		return Found{}, fmt.Errorf("its %s stream holds more than the %d bytes allowed for a disk", format, int64(maxDisk))
	}
	if err := plain.Truncate(size); err != nil {
		return Found{}, fmt.Errorf("unpack the disk: %w", err)
	}
	found, err := openDisk(ctx, plain, size, scratch, help)
	found.Chain = append([]string{string(format)}, found.Chain...)
	return found, err
}

// holes writes a file and leaves holes for zeroes: most of a disk is zero.
type holes struct {
	f  *os.File
	at int64
}

func (h *holes) Write(p []byte) (int, error) {
	zero := true
	for _, b := range p {
		if b != 0 {
			zero = false
			break
		}
	}
	if !zero {
		if _, err := h.f.WriteAt(p, h.at); err != nil {
			return 0, err
		}
	}
	h.at += int64(len(p))
	return len(p), nil
}
