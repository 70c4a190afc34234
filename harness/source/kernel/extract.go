package kernel

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/debian"
)

// Files of an extracted kernel in the cache.
const (
	imageFile  = "image"
	configFile = "config"
	metaFile   = "meta.json"
)

// maxConfig is ten times the largest kernel configuration, in bytes.
const maxConfig = 4 << 20

// imagePaths returns the paths of a kernel in a package, configPaths those of its
// configuration: up to Debian 13, and since Debian 14.
func imagePaths(release string) []string {
	return []string{
		"boot/vmlinuz-" + release, "boot/vmlinux-" + release,
		"usr/lib/modules/" + release + "/vmlinuz", "usr/lib/modules/" + release + "/vmlinux",
	}
}

func configPaths(release string) []string {
	return []string{"boot/config-" + release, "usr/lib/modules/" + release + "/config"}
}

// pick returns the first file of each of wants in a package, and nil for a missing
// one. It stops reading after the last.
func pick(ctx context.Context, deb string, wants ...want) ([][]byte, error) {
	found := make([][]byte, len(wants))
	left := len(wants)
	err := debian.WalkData(ctx, deb, func(hdr *tar.Header, r io.Reader) (bool, error) {
		for i, w := range wants {
			if found[i] != nil || hdr.Typeflag != tar.TypeReg || !slices.Contains(w.paths, hdr.Name) {
				continue
			}
			if hdr.Size > w.limit {
				return false, fmt.Errorf("%s has %d bytes, more than the %d allowed here", hdr.Name, hdr.Size, w.limit)
			}
			data := make([]byte, hdr.Size)
			if _, err := io.ReadFull(r, data); err != nil {
				return false, fmt.Errorf("reading %s: %w", hdr.Name, err)
			}
			found[i] = data
			left--
		}
		return left == 0, nil
	})
	return found, err
}

type want struct {
	paths []string
	limit int64
}

// extract stores the plain image, the configuration and their description in dir.
// configDeb is "" if imageDeb holds the configuration too. With bzImage the image stays as
// the package has it, for machines that need the code around the kernel.
func extract(ctx context.Context, pin Pin, imageDeb, configDeb, dir string, rec arch.Record, bzImage bool) error {
	image := want{imagePaths(pin.Release), maxPlain}
	config := want{configPaths(pin.Release), maxConfig}
	var wrapped, conf []byte
	if configDeb == "" {
		found, err := pick(ctx, imageDeb, image, config)
		if err != nil {
			return err
		}
		wrapped, conf = found[0], found[1]
	} else {
		found, err := pick(ctx, imageDeb, image)
		if err != nil {
			return err
		}
		wrapped = found[0]
		if found, err = pick(ctx, configDeb, config); err != nil {
			return err
		}
		conf = found[0]
	}
	if wrapped == nil {
		return fmt.Errorf("package %s %s has none of %q; it is laid out in a way unknown here", pin.Image.Package, pin.Image.Version, image.paths)
	}
	plain, err := Unwrap(ctx, wrapped, rec)
	if err != nil {
		return err
	}
	if r := bannerRelease(plain.Banner); r != "" && r != pin.Release {
		return fmt.Errorf("package %s %s is named after release %s, but its kernel says it is %s", pin.Image.Package, pin.Image.Version, pin.Release, r)
	}
	if bzImage {
		if len(plain.Layers) == 0 || plain.Layers[0] != bzImageLayer {
			return fmt.Errorf("package %s %s holds no bzImage, which the machine needs", pin.Image.Package, pin.Image.Version)
		}
		plain.Data, plain.Format, plain.Layers = wrapped, BzImage, nil
	}
	return store(dir, plain, conf, pin.Release)
}

func store(dir string, plain Plain, conf []byte, release string) error {
	meta := Image{Format: plain.Format, Layers: plain.Layers, Release: release, Banner: plain.Banner, ImageSHA256: sum(plain.Data)}
	if err := os.WriteFile(filepath.Join(dir, imageFile), plain.Data, 0o644); err != nil {
		return err
	}
	if conf != nil {
		meta.ConfigSHA256 = sum(conf)
		if err := os.WriteFile(filepath.Join(dir, configFile), conf, 0o644); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, metaFile), append(text, '\n'), 0o644)
}

// load returns the image that store wrote.
func load(dir string) (Image, error) {
	text, err := os.ReadFile(filepath.Join(dir, metaFile))
	if err != nil {
		return Image{}, fmt.Errorf("read extracted kernel: %w", err)
	}
	var i Image
	if err := json.Unmarshal(text, &i); err != nil {
		return Image{}, fmt.Errorf("read extracted kernel %s: %w", dir, err)
	}
	i.Path = filepath.Join(dir, imageFile)
	if i.ConfigSHA256 != "" {
		i.Config = filepath.Join(dir, configFile)
	}
	return i, nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
