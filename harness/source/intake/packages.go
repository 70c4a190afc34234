package intake

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// kernelAt reports whether a path, in a package or below the root, is that of a
// kernel.
func kernelAt(name string) bool {
	base := path.Base(name)
	for _, aside := range []string{".hmac", ".bak", ".old", "~", ".rpmsave", ".rpmnew", ".dpkg-old", ".dpkg-new", ".sig"} {
		if strings.HasSuffix(base, aside) {
			return false
		}
	}
	if strings.Contains(base, "rescue") {
		return false
	}
	switch dir := path.Dir(name); {
	case dir == "boot":
		return strings.HasPrefix(base, "vmlinuz") || strings.HasPrefix(base, "vmlinux") || strings.HasPrefix(base, "Image")
	case modules(dir):
		return base == "vmlinuz" || base == "vmlinux" || base == "Image"
	}
	return false
}

func configAt(name string) bool {
	return path.Dir(name) == "boot" && strings.HasPrefix(path.Base(name), "config-") || modules(path.Dir(name)) && path.Base(name) == "config"
}

// modules reports whether a folder holds the modules of one kernel.
func modules(dir string) bool {
	parent := path.Dir(dir)
	return parent == "lib/modules" || parent == "usr/lib/modules"
}

// pick collects the kernel and the configuration among the files of a package.
type pick struct{ found Found }

// file takes one file of the package. It reads r only if the file is needed.
func (p *pick) file(name string, size int64, r io.Reader) error {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	switch {
	case kernelAt(name) && size > 0:
		if p.found.Kernel != nil && !before(path.Base(p.kernel()), path.Base(name)) {
			return nil
		}
		if size > maxKernel {
			return fmt.Errorf("/%s has %d bytes, more than the %d allowed for a kernel", name, size, maxKernel)
		}
		b, err := bounded(r, maxKernel)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		p.found.Kernel, p.found.Chain = b, append(p.found.Chain[:1:1], "/"+name)
	case configAt(name):
		b, err := bounded(r, maxConfig)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		p.found.Config = b
	}
	return nil
}

func (p *pick) kernel() string { return p.found.Chain[len(p.found.Chain)-1] }

func (p *pick) end() (Found, error) {
	if p.found.Kernel == nil {
		return Found{}, fmt.Errorf("the %s holds no kernel in /boot or /lib/modules; give the package that does, often called linux-image-* or kernel-core", p.found.Chain[0])
	}
	return p.found, nil
}

func openDeb(ctx context.Context, f *os.File) (Found, error) {
	p := pick{Found{Chain: []string{"deb"}}}
	err := debian.Walk(ctx, f, func(hdr *tar.Header, r io.Reader) (bool, error) {
		if hdr.Typeflag != tar.TypeReg {
			return false, nil
		}
		return false, p.file(hdr.Name, hdr.Size, r)
	})
	if err != nil {
		return Found{}, err
	}
	return p.end()
}

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
