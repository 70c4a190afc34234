// Package subject has the five kinds of subject that a run can test: a cell of the matrix, a
// kernel that somebody holds, the kernel on a disk image, a whole system booted from disk, and
// a running system. Each binds itself to the place where its probes run.
package subject

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/poc/catalog"
)

// Subject is something that a run can test.
type Subject interface {
	// Bind finds out what the subject is and gets what its probes need. The error says
	// what is missing. Whoever binds a subject must release it.
	Bind(ctx context.Context, bench *workbench.Bench) (Bound, error)
}

// Bound is a subject that is ready for a run.
type Bound struct {
	run.Bound
	// Unchanged returns an error if a system that others use is not as it was before.
	Unchanged func(context.Context) error
	// Release ends what was started to bind the subject.
	Release func() error
}

// unowned returns a bound subject for which nothing was started.
func unowned(b run.Bound) Bound {
	return Bound{b, func(context.Context) error { return nil }, func() error { return nil }}
}

// Cell is a cell of the matrix.
type Cell struct{ matrix.Cell }

// Bind binds the cell to guests that boot its kernel. Nothing is downloaded yet.
func (c Cell) Bind(_ context.Context, bench *workbench.Bench) (Bound, error) {
	return unowned(bench.Bind(c.Cell)[0]), nil
}

// Cells returns cells of the matrix as subjects.
func Cells(cells []matrix.Cell) []Subject {
	subjects := make([]Subject, len(cells))
	for i, c := range cells {
		subjects[i] = Cell{c}
	}
	return subjects
}

// Set is a list of bound subjects that are released together.
type Set []Bound

// Bind binds every subject, some at the same time. After an error nothing has to be released.
func Bind(ctx context.Context, bench *workbench.Bench, subjects []Subject) (Set, error) {
	all, failures := make(Set, len(subjects)), make([]error, len(subjects))
	var group errgroup.Group
	group.SetLimit(max(1, bench.Host.Cores))
	for i, s := range subjects {
		group.Go(func() error {
			all[i], failures[i] = s.Bind(ctx, bench)
			return nil
		})
	}
	_ = group.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, errors.Join(err, all.Release())
	}
	return all, nil
}

// Cells returns the cell of each subject.
func (s Set) Cells() []matrix.Cell {
	cells := make([]matrix.Cell, len(s))
	for i, b := range s {
		cells[i] = b.Cell
	}
	return cells
}

// Bound returns the subjects as a run takes them.
func (s Set) Bound() []run.Bound {
	bound := make([]run.Bound, len(s))
	for i, b := range s {
		bound[i] = b.Bound
	}
	return bound
}

// Release ends what was started to bind the subjects.
func (s Set) Release() error {
	var errs []error
	for _, b := range s {
		if b.Release != nil { // else it was not bound
			errs = append(errs, b.Release())
		}
	}
	return errors.Join(errs...)
}

// measure asks a system what it is and makes a cell of it. described begins what the cell
// says of the operating system, after the name that its owner gives it.
func (o Own) measure(ctx context.Context, system run.System, rec arch.Record, host matrix.Host, described, called string) (matrix.Cell, error) {
	if title, err := osname.Title(called); err == nil {
		described = title + ": " + described
	}
	c := matrix.Cell{Name: cmp.Or(o.Name, string(host)+"-"+rec.GOARCH), Arch: rec.GOARCH, OS: described, Host: host, System: o.System}
	agent, _, err := system.Start(ctx, io.Discard)
	if err != nil {
		if _, spoke := system.Early(ctx); spoke {
			return c, nil // stage 0 says why, in the cell's evidence
		}
		return c, err
	}
	t, err := agent.Run(ctx, catalog.Facts, nil)
	if err := errors.Join(err, agent.Stop()); err != nil {
		return c, err
	}
	f, err := facts.Parse(t, nil)
	if err != nil {
		return c, fmt.Errorf("read what the target says of itself: %w", err)
	}
	c.PageSize, c.CPUs, c.Memory = f.PageSize, f.CPUs, int(f.MemTotal>>20)
	c.Kernel.Series = fmt.Sprintf("%d.%d", f.Release.Major, f.Release.Minor)
	if confined := f.Confinement(); confined != "" {
		c.OS += "; probes run under " + confined
	}
	return c, nil
}
