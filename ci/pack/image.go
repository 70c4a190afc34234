package main

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user runs mapstack in a container. It is a number without an account, as there is no
// /etc/passwd. Whoever gives another one can write to the same folders.
const user = "65532:65532"

// image writes one OCI image for all architectures, as a tar archive of an OCI layout. It
// holds the program, and folders that it writes to.
func (r release) image(to *os.File) error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range r.Programs {
		one, err := r.imageOf(p)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: p.Arch}}})
	}
	dir, err := os.MkdirTemp("", "pack")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	// Tools ask for the name of the image here.
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "mapstack:" + r.Version})); err != nil {
		return err
	}
	return archive(to, os.DirFS(dir), r.Time)
}

// imageOf returns the image of one architecture.
func (r release) imageOf(p program) (v1.Image, error) {
	content, err := r.layer(p)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer,
		History: v1.History{Created: v1.Time{Time: r.Time}, CreatedBy: "mapstack-pack"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", p.Arch, v1.Time{Time: r.Time}
	config.Config = v1.Config{Entrypoint: []string{"/usr/bin/mapstack"}, WorkingDir: "/work", User: user,
		Env: []string{"PATH=/usr/bin", "XDG_CACHE_HOME=/cache", "HOME=/work", "CI=1"},
		Labels: map[string]string{"org.opencontainers.image.title": "mapstack", "org.opencontainers.image.description": summary,
			"org.opencontainers.image.version": r.Version, "org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.url": homepage}}
	return mutate.ConfigFile(image, config)
}

// layer returns the files of an image, as a tar archive.
func (r release) layer(p program) ([]byte, error) {
	program, err := os.ReadFile(p.Path)
	if err != nil {
		return nil, err
	}
	others, err := licenses(p)
	if err != nil {
		return nil, err
	}
	var to bytes.Buffer
	w := tar.NewWriter(&to)
	for _, f := range []struct {
		name    string
		mode    int64
		content []byte
	}{
		{"cache/", 0o1777, nil}, // downloads and snapshots; a volume keeps them
		{"tmp/", 0o1777, nil},
		{"usr/", 0o755, nil},
		{"usr/bin/", 0o755, nil},
		{"usr/bin/mapstack", 0o755, program},
		{"usr/share/", 0o755, nil},
		{"usr/share/doc/", 0o755, nil},
		{"usr/share/doc/mapstack/", 0o755, nil},
		{licensesAt[1:], 0o644, others},
		{"work/", 0o1777, nil}, // reports, and a vendor's own files
	} {
		h := &tar.Header{Name: f.name, Mode: f.mode, ModTime: r.Time, Format: tar.FormatPAX, Typeflag: tar.TypeDir}
		if f.content != nil {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(f.content))
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return to.Bytes(), err
}

// archive writes all files of a tree, in the order of their names and with one time.
func archive(to io.Writer, tree fs.FS, at time.Time) error {
	w := tar.NewWriter(to)
	err := fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(content)), ModTime: at, Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
