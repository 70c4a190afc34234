package intake

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/mapstack/conformance/harness/source/debian"
)

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

// end returns what was found. Without a kernel it is an error, and the configuration may be there.
func (p *pick) end() (Found, error) {
	if p.found.Kernel == nil {
		return p.found, fmt.Errorf("the %s holds no kernel in /boot or /lib/modules; give the package that does, often called linux-image-* or kernel-core", p.found.Chain[0])
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
