package subject

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// Package is a kernel package of an archive or a repository, before it is downloaded.
type Package struct {
	File    string // the name of its file
	SHA256  string
	Release string // uname -r
	Version string // of the package
	// Obtain downloads the package and checks it. The kernel is good until the bench is gone.
	Obtain func(context.Context) (Kernel, error)
}

// Series returns the upstream series of the kernel, such as 6.1; "" if its release has none.
func (p Package) Series() string {
	r, err := release.Parse(p.Release)
	if err != nil {
		return ""
	}
	return r.Series()
}

// Archived returns the kernels of the archive that have the architecture and the flavour of a
// cell's, the oldest first. The suites are all those of a matrix.
func Archived(ctx context.Context, bench *workbench.Bench, cell matrix.Cell, all []matrix.Cell) ([]Package, error) {
	var suites []string
	for _, c := range all {
		if c.Kernel.From == matrix.Archive && !slices.Contains(suites, c.Kernel.Suite) {
			suites = append(suites, c.Kernel.Suite)
		}
	}
	pins, err := bench.Kernels.Flavour(ctx, cell, suites)
	if err != nil {
		return nil, err
	}
	debian, err := osname.Lookup("debian")
	if err != nil {
		return nil, err
	}
	var packages []Package
	for _, pin := range pins {
		file := path.Base(pin.Image.Filename)
		packages = append(packages, Package{File: file, SHA256: pin.Image.SHA256, Release: pin.Release, Version: pin.Image.Version,
			Obtain: func(ctx context.Context) (Kernel, error) {
				deb, config, err := bench.Kernels.Packed(ctx, pin)
				return Kernel{File: deb, Config: config, OS: debian.ID, Own: Own{Called: file}}, err
			}})
	}
	return packages, nil
}

// Packages returns the kernels that stand beside that of the cell: in its yum repository, or in
// the archive. all are the cells of the built-in matrix.
func (l Listed) Packages(ctx context.Context, bench *workbench.Bench, all []matrix.Cell) ([]Package, error) {
	switch {
	case l.Builtin != nil:
		return Archived(ctx, bench, *l.Builtin, all)
	case l.Repository == "":
		return nil, fmt.Errorf("cell %s of %s has one kernel, and no repository with others; name a cell with a repository", l.Name, l.Place)
	}
	s, err := l.subject(ctx, bench)
	if err != nil {
		return nil, err
	}
	k, ok := s.(Kernel)
	switch {
	case !ok:
		return nil, fmt.Errorf("cell %s of %s runs no kernel of a repository", l.Name, l.Place)
	case k.Apt != nil:
		return nil, fmt.Errorf("cell %s of %s has an apt repository, which is asked for one kernel and not for a list; download its packages into a folder and name that", l.Name, l.Place)
	}
	return k.Packages(ctx, bench)
}

// Packages returns the kernels of the yum repository that File names, the oldest first.
func (k Kernel) Packages(ctx context.Context, bench *workbench.Bench) ([]Package, error) {
	rec, err := arch.Lookup(k.Arch)
	if err != nil {
		return nil, fmt.Errorf("a repository has kernels of several architectures; name one with --arch: %w", err)
	}
	r, err := k.repository(bench)
	if err != nil {
		return nil, err
	}
	all, err := r.Kernels(ctx)
	if err != nil {
		return nil, err
	}
	var packages []Package
	for _, p := range all {
		if !cache.ValidSHA256(p.SHA256) {
			return nil, fmt.Errorf("the repository %s gives %.70q as the SHA-256 of %s; use another mirror of it", k.File, p.SHA256, p.Path)
		}
		file := path.Base(p.Path)
		packages = append(packages, Package{File: file, SHA256: p.SHA256, Release: p.Version + "." + rec.Uname, Version: p.Version,
			Obtain: func(ctx context.Context) (Kernel, error) {
				rpm, err := bench.Cache.Blob(ctx, p.SHA256, p.Size, func(ctx context.Context, w io.Writer) error {
					b, err := r.Read(ctx, p)
					if err == nil {
						_, err = w.Write(b)
					}
					return err
				})
				own := k.Own
				own.Called, own.Series = file, "" // it may be of another series than the newest
				return Kernel{File: rpm, Arch: k.Arch, OS: k.OS, Own: own}, err
			}})
	}
	return packages, nil
}
