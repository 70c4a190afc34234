package guestimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// ErrNotInside means that mapstack was built without an architecture's guest
// programs.
var ErrNotInside = errors.New("its programs are not inside this mapstack")

// account describes an exported image.
type account struct {
	Key    string   `json:"key"`
	Go     string   `json:"go"`
	Probes []string `json:"probes"`
	Size   int64    `json:"size"` // bytes of the initramfs
}

// These follow the architecture's name.
const (
	exported      = ".cpio.xz"
	exportedAbout = ".json"
)

// exportFilter has a dictionary that is larger than the distance between copies of the Go
// runtime, which every runtime variant contains. So each copy is compressed as a repetition.
const exportFilter = "--lzma2=preset=9e,dict=32MiB"

// Export writes the image into dir, for Builder.Prebuilt. The same image and the same xz(1)
// give the same bytes. xz makes it a fifth smaller than zstd does.
func (i Image) Export(dir, goarch string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("export the guest image for %s: %w", goarch, err)
		}
	}()
	if i.Bare || i.Disk != "" {
		return errors.New("it is no initramfs alone, with an agent")
	}
	from, err := os.Open(i.Path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(dir, goarch+exported))
	if err != nil {
		return err
	}
	defer to.Close()
	// One thread: with more, the blocks would follow from the number of cores.
	cmd := exec.Command("xz", "--compress", "--stdout", "--threads=1", "--format=xz", exportFilter)
	cmd.Env = []string{"LC_ALL=C"} // the user's defaults for xz must not change the result
	cmd.Stdin, cmd.Stdout, cmd.Stderr = from, to, os.Stderr
	if err := errors.Join(cmd.Run(), to.Close()); err != nil {
		return fmt.Errorf("compress it with xz, of the package xz-utils: %w", err)
	}
	info, err := from.Stat()
	if err != nil {
		return err
	}
	about, err := json.MarshalIndent(account{i.Key, i.Go, i.Probes, info.Size()}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, goarch+exportedAbout), about, 0o644)
}

// prebuilt unpacks an exported image into the cache.
func (b *Builder) prebuilt(ctx context.Context, rec arch.Record) (Image, error) {
	about, err := fs.ReadFile(b.Prebuilt, rec.GOARCH+exportedAbout)
	if errors.Is(err, fs.ErrNotExist) {
		return b.without(ctx, rec)
	}
	if err != nil {
		return Image{}, err
	}
	var a account
	if err := json.Unmarshal(about, &a); err != nil {
		return Image{}, fmt.Errorf("read what is said of it: %w", err)
	}
	dir, err := b.cache.Dir(ctx, "guest", a.Key, func(ctx context.Context, dir string) error {
		f, err := b.Prebuilt.Open(rec.GOARCH + exported)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := decompress.Reader(ctx, f, decompress.XZ)
		if err != nil {
			return err
		}
		defer z.Close()
		to, err := os.Create(filepath.Join(dir, archive))
		if err != nil {
			return err
		}
		defer to.Close()
		n, err := io.Copy(to, z)
		if err == nil && n != a.Size {
			err = fmt.Errorf("it has %d bytes, and %d were packed", n, a.Size)
		}
		return errors.Join(err, to.Close())
	})
	if err != nil {
		return Image{}, err
	}
	return imageIn(dir, rec, Image{Key: a.Key, Probes: a.Probes, Go: a.Go}), nil
}

// without returns the image of an architecture that was not exported. It is bare if
// the toolchain must be supplied and was not: stage 0 needs none.
func (b *Builder) without(ctx context.Context, rec arch.Record) (Image, error) {
	first, err := first(rec.GOARCH)
	if err != nil {
		return Image{}, err
	}
	if rec.Supplied && first != nil {
		goroot, err := b.Supplied(rec)
		if err != nil {
			return Image{}, err
		}
		if goroot == "" {
			return b.bare(ctx, rec, first)
		}
	}
	return Image{}, fmt.Errorf("%w; run one from a checkout, which compiles them, or give --guest-agent a folder of them", ErrNotInside)
}
