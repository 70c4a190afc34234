package debian

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/harness/source/decompress"
)

// Bounds of one package: several times the largest kernel and firmware packages, and
// small enough to fail before the disk is full.
const (
	maxMembers  = 16      // deb(5) knows three
	maxEntries  = 500_000 // files in a package
	MaxUnpacked = 8 << 30 // bytes of the decompressed data member, and of its files
)

// dataFormats are the compressions of deb(5).
var dataFormats = map[string]decompress.Format{
	"data.tar": decompress.None, "data.tar.gz": decompress.Gzip, "data.tar.xz": decompress.XZ,
	"data.tar.zst": decompress.Zstd, "data.tar.bz2": decompress.Bzip2, "data.tar.lzma": decompress.LZMA,
}

// WalkData calls visit for every entry of a .deb's data archive, in order, until
// visit returns stop or an error. Names and the targets of hard links are clean and
// relative ("usr/lib/x"). An entry that would leave the package is an error. Targets
// of symbolic links are as in the package. r is the content of a regular file; it is
// valid until visit returns.
func WalkData(ctx context.Context, file string, visit func(hdr *tar.Header, r io.Reader) (stop bool, err error)) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open package: %w", err)
	}
	defer f.Close()
	if err := Walk(ctx, f, visit); err != nil {
		return fmt.Errorf("package %s: %w", filepath.Base(file), err)
	}
	return nil
}

// Walk does the same with an open file. Its errors do not name the file.
func Walk(ctx context.Context, f *os.File, visit func(hdr *tar.Header, r io.Reader) (stop bool, err error)) error {
	data, format, err := dataMember(f)
	if err != nil {
		return err
	}
	z, err := decompress.Reader(ctx, data, format)
	if err != nil {
		return err
	}
	defer z.Close()
	bounded := &io.LimitedReader{R: z, N: MaxUnpacked}
	err = walkTar(ctx, tar.NewReader(bounded), visit)
	if err != nil && bounded.N <= 0 {
		return fmt.Errorf("its data unpacks to more than the %d bytes allowed here", int64(MaxUnpacked))
	}
	return err
}

// dataMember finds the data archive in the ar container.
func dataMember(f *os.File) (io.Reader, decompress.Format, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	ar, err := newAr(f, st.Size())
	if err != nil {
		return nil, "", err
	}
	for range maxMembers {
		name, data, err := ar.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", err
		}
		if !strings.HasPrefix(name, "data.tar") {
			continue
		}
		format, ok := dataFormats[name]
		if !ok {
			return nil, "", fmt.Errorf("its data member %q is compressed in a way unknown here", name)
		}
		return data, format, nil
	}
	return nil, "", errors.New("it has no data archive, so it is no Debian package or a truncated one")
}

func walkTar(ctx context.Context, t *tar.Reader, visit func(*tar.Header, io.Reader) (bool, error)) error {
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		hdr, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && ctx.Err() != nil {
			return ctx.Err() // the decoder was stopped; the archive is not damaged
		}
		if err != nil {
			return fmt.Errorf("its data archive is damaged after %d entries: %w", n, err)
		}
		if n == maxEntries {
			return fmt.Errorf("it has more than the %d entries allowed here", maxEntries)
		}
		if hdr.Name, err = cleanName(hdr.Name); err != nil {
			return err
		}
		if hdr.Typeflag == tar.TypeLink {
			if hdr.Linkname, err = cleanName(hdr.Linkname); err != nil {
				return err
			}
		}
		stop, err := visit(hdr, t)
		if err != nil || stop {
			return err
		}
	}
}

// cleanName turns "./usr/lib/" into "usr/lib". The root itself is ".".
func cleanName(name string) (string, error) {
	clean := path.Clean(strings.TrimPrefix(name, "./"))
	if !fs.ValidPath(clean) || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("entry %.80q leads out of the package", name)
	}
	return clean, nil
}

// Unpack writes the entries of a .deb that want accepts below dir, which must exist.
// Owners are not kept. Permissions are reduced to readable and executable. No entry
// can touch anything outside dir, not even through links.
func Unpack(ctx context.Context, file, dir string, want func(name string) bool) error {
	return unpack(dir, MaxUnpacked, want, func(visit func(*tar.Header, io.Reader) (bool, error)) error { return WalkData(ctx, file, visit) })
}

// UnpackTar does the same with a tar archive, such as a source package holds. Its files may
// have limit bytes in all.
func UnpackTar(ctx context.Context, archive io.Reader, dir string, limit int64, want func(name string) bool) error {
	return unpack(dir, limit, want, func(visit func(*tar.Header, io.Reader) (bool, error)) error {
		return walkTar(ctx, tar.NewReader(archive), visit)
	})
}

// unpack writes below dir those entries of walk that want accepts. A sparse entry has more
// bytes than its archive, so what is written is counted.
func unpack(dir string, limit int64, want func(name string) bool, walk func(func(*tar.Header, io.Reader) (bool, error)) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack package: %w", err)
	}
	defer root.Close()
	left := limit
	return walk(func(hdr *tar.Header, r io.Reader) (bool, error) {
		if hdr.Typeflag == tar.TypeDir || !want(hdr.Name) {
			return false, nil
		}
		if err := root.MkdirAll(path.Dir(hdr.Name), 0o755); err != nil {
			return false, fmt.Errorf("unpack: %w", err)
		}
		if hdr.Typeflag == tar.TypeReg {
			if left -= hdr.Size; left < 0 {
				return false, fmt.Errorf("unpack: its files have more than the %d bytes allowed here", limit)
			}
		}
		if err := unpackEntry(root, hdr, r); err != nil {
			return false, fmt.Errorf("unpack: %w", err)
		}
		return false, nil
	})
}

func unpackEntry(root *os.Root, hdr *tar.Header, r io.Reader) error {
	switch hdr.Typeflag {
	case tar.TypeReg:
		perm := fs.FileMode(0o644)
		if hdr.Mode&0o111 != 0 {
			perm = 0o755
		}
		f, err := root.OpenFile(hdr.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, r); err != nil {
			return errors.Join(err, f.Close())
		}
		return f.Close()
	case tar.TypeSymlink:
		return root.Symlink(hdr.Linkname, hdr.Name)
	case tar.TypeLink:
		return root.Link(hdr.Linkname, hdr.Name)
	}
	// Devices and pipes have no use in an unpacked package.
	return nil
}
