package subject

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/harness/source/remote"
)

// Listed is a cell of a matrix file. If it cannot be bound, the run goes on: the cell is then
// one without observations, and with the reason.
type Listed struct{ matrixfile.Cell }

// Bind binds what the cell is about. It returns no error: a cell that was not bound has it.
func (l Listed) Bind(ctx context.Context, bench *workbench.Bench) (Bound, error) {
	s, err := l.subject(ctx, bench)
	if err == nil {
		var b Bound
		if b, err = s.Bind(ctx, bench); err == nil {
			return b, nil
		}
	}
	if ctx.Err() != nil {
		err = &failure.Failure{Kind: failure.Interrupted, Message: "the run was stopped before this cell began"}
	}
	return missing(l.Planned(), l.blamed(err)), nil
}

// Alone reports whether the subject takes the machine's memory as long as it is bound, or is a
// system that others use, so that it is bound alone.
func (l Listed) Alone() bool { return l.FullBoot || l.Target != "" }

// blamed returns why a cell was not bound, with the line of the file to correct. A file that is
// not there was not supplied. Evidence has it, so that it names files without their folders.
func (l Listed) blamed(err error) error {
	var known *failure.Failure
	why, place := l.bare(err.Error()), filepath.Base(l.Place)
	switch {
	case errors.As(err, &known):
		return &failure.Failure{Kind: known.Kind, Message: l.bare(known.Message), Console: known.Console, Early: known.Early}
	case errors.Is(err, fs.ErrNotExist):
		return &failure.Failure{Kind: failure.Missing, Message: fmt.Sprintf("%s; supply it, or correct the entry at %s", why, place)}
	}
	return fmt.Errorf("%s; the cell is at %s", why, place)
}

// bare replaces the paths of the cell's files in a text by the names of the files.
func (l Listed) bare(text string) string {
	paths := append(absolute(l.Repository), l.Repository, l.Keyring, l.Firmware, l.GuestAgent, l.PasswordFile)
	for _, s := range []*matrixfile.Source{l.Kernel, l.Image} {
		if s != nil {
			paths = append(paths, s.Path)
		}
	}
	for _, path := range paths {
		if strings.ContainsRune(path, filepath.Separator) {
			text = strings.ReplaceAll(text, path, filepath.Base(path))
		}
	}
	return text
}

// missing returns the bound subject of a cell that there is nothing of to run.
func missing(cell matrix.Cell, err error) Bound {
	return unowned(run.Bound{Cell: cell, Where: run.Absent{Err: err}})
}

// subject returns what the cell is about. It downloads what has a URL.
func (l Listed) subject(ctx context.Context, bench *workbench.Bench) (Subject, error) {
	if l.Builtin != nil {
		return Cell{*l.Builtin}, nil
	}
	own := Own{Name: l.Name, System: l.Planned().System, Series: l.Series, Machine: l.Machine, CPUs: l.CPUs, MemoryMiB: l.MemoryMiB, Params: l.Params, Policy: l.Policy, Programs: l.GuestAgent}
	image, _, err := here(ctx, bench, l.Image)
	if err != nil {
		return nil, err
	}
	switch {
	case l.Target != "":
		return Running{Target: l.Target, Arch: l.Arch, Destructive: l.Destructive, Own: own, OS: l.OS}, nil
	case l.Repository != "":
		return l.repository(own), nil
	case l.FullBoot:
		own.Called = l.Image.Base()
		login := l.Login
		if login == "" {
			login = "root"
		}
		return FullBoot{Image: image, Arch: l.Arch, Login: login, PasswordFile: l.PasswordFile, Firmware: l.Firmware, Destructive: l.Destructive, Own: own, OS: l.OS}, nil
	case l.Kernel == nil:
		own.Called = l.Image.Base()
		return Image{File: image, Arch: l.Arch, OS: l.OS, Own: own}, nil
	}
	file, called, err := here(ctx, bench, l.Kernel)
	if err != nil {
		return nil, err
	}
	own.Called = called
	return Kernel{File: file, Image: image, Arch: l.Arch, OS: l.OS, Own: own}, nil
}

// here returns the path of a file on this machine, and its name. A file with a URL is in the
// cache afterwards.
func here(ctx context.Context, bench *workbench.Bench, s *matrixfile.Source) (file, called string, err error) {
	switch {
	case s == nil:
		return "", "", nil
	case s.URL == "":
		return s.Path, s.Base(), nil
	}
	file, err = bench.Remote().Fetch(ctx, remote.File{URL: s.URL, SHA256: s.SHA256, Size: s.Size})
	return file, s.Base(), err
}

// Prepared is a cell of a matrix file that is ready to be booted.
type Prepared struct {
	Kernel kernel.Image // the zero value if it is not known before the cell runs
	Arch   string       // GOARCH; "" if only the machine itself says it
}

// Prepare gets what the cells need without booting them. If one cell fails, the others are still
// prepared.
func Prepare(ctx context.Context, bench *workbench.Bench, cells []Listed) ([]Prepared, error) {
	all, failures := make([]Prepared, len(cells)), make([]error, len(cells))
	var group errgroup.Group
	group.SetLimit(max(1, bench.Host.Cores))
	for i, l := range cells {
		group.Go(func() error {
			if all[i], failures[i] = l.prepare(ctx, bench); failures[i] != nil {
				failures[i] = fmt.Errorf("cell %s: %w", l.Name, failures[i])
			}
			return nil
		})
	}
	_ = group.Wait()
	return all, errors.Join(failures...)
}

func (l Listed) prepare(ctx context.Context, bench *workbench.Bench) (p Prepared, err error) {
	guests := run.Guests{}
	p.Arch = l.Arch
	if l.Alone() {
		if _, err := l.subject(ctx, bench); err != nil { // downloads the image
			return p, l.blamed(err)
		}
	} else {
		bound, err := l.Bind(ctx, bench)
		if err != nil {
			return p, err
		}
		switch where := bound.Where.(type) {
		case run.Absent:
			return p, where.Err
		case run.Guests:
			p.Arch, guests = bound.Cell.Arch, where
		}
		if p.Kernel, err = guests.Kernel(ctx); err != nil {
			return p, err
		}
	}
	rec, err := arch.Lookup(p.Arch)
	if err != nil {
		return p, nil // only the machine itself says what it is
	}
	if l.Target == "" {
		if _, err := bench.Toolbox.Find(ctx, rec); err != nil {
			return p, err
		}
	}
	if guests.Images == nil {
		guests.Images = bench.Guests
	}
	_, err = guests.Images.Image(ctx, rec)
	return p, err
}

// Unsupplied is a product of an operating system whose image nobody supplied.
type Unsupplied struct {
	osname.System
	// File is the matrix file that an entry can be added to; "" for none.
	File string
}

// Planned returns the cell of the product.
func (u Unsupplied) Planned() matrix.Cell {
	return matrix.Cell{Name: u.ID, OS: u.System.Title(), System: u.ID, Kernel: matrix.Kernel{From: matrix.Given}}
}

// Bind makes a cell that says how to supply the image.
func (u Unsupplied) Bind(context.Context, *workbench.Bench) (Bound, error) {
	return missing(u.Planned(), &failure.Failure{Kind: failure.Missing, Message: u.Remedy()}), nil
}

// Remedy says how to supply the image, in two lines.
func (u Unsupplied) Remedy() string {
	file := u.File
	if file == "" {
		file = matrixfile.Name
	}
	return fmt.Sprintf("no image of %s was supplied, and mapstack downloads none; supply its disk image, or a glob of several:\n  %s\nor add this line to the cells of %s:\n  - {os: %s, osImage: FILE}",
		u.English, strings.Join([]string{u.Variable(), "FILE"}, "="), file, u.ID)
}

// Planner is a subject whose cell is known as far as it can be before it is bound.
type Planner interface{ Planned() matrix.Cell }

// Waves returns subjects in groups that can be bound together, in the order in which they run:
// first all of those that need nothing as long as they are bound, then each of the others.
func Waves(subjects []Subject) [][]Subject {
	var together []Subject
	var waves [][]Subject
	for _, s := range subjects {
		if a, ok := s.(interface{ Alone() bool }); ok && a.Alone() {
			waves = append(waves, []Subject{s})
		} else {
			together = append(together, s)
		}
	}
	if len(together) > 0 {
		waves = append([][]Subject{together}, waves...)
	}
	return waves
}
