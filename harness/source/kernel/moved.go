package kernel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/debian"
)

// An archive's index and its packages are published one after the other, and packages are
// dropped. If the package of a kernel is gone, these are tried, in this order: the index
// before the present one, the version in kernels.lock, and another mirror with each of
// these versions.

// fetcher gets a package from somewhere.
type fetcher func(ctx context.Context, p debian.Package) (string, error)

// recipe makes a kernel out of the packages of a pin. warning says how the pin differs from
// what was asked for.
type recipe func(ctx context.Context, pin Pin, warning string, from fetcher) (Image, error)

// offer is a version of a kernel that may be had.
type offer struct {
	pin Pin
	why string // what it is, for the report
}

// obtain resolves a cell's kernel and makes it of packages that can be had.
func (r *Resolver) obtain(ctx context.Context, cell matrix.Cell, from recipe) (Image, error) {
	pin, warning, err := r.resolve(ctx, cell)
	if err != nil {
		return Image{}, err
	}
	image, gone := from(ctx, pin, warning, r.archive.Fetch)
	if !errors.Is(gone, debian.ErrGone) {
		return image, gone
	}
	offers, reasons := r.offers(ctx, cell, pin)
	for _, place := range []struct {
		fetch fetcher
		why   string
	}{{r.archive.Fetch, ""}, {r.archive.FetchSecond, ", from " + debian.SnapshotVariable}} {
		for _, o := range offers {
			if place.why == "" && o.pin.same(pin) {
				continue // it is gone
			}
			taken := fmt.Sprintf("%s %s is not in the archive although %s lists it; taken was %s %s%s: %s",
				pin.Image.Package, pin.Image.Version, r.lister(), o.pin.Image.Package, o.pin.Image.Version, place.why, o.why)
			image, err := from(ctx, o.pin, taken, place.fetch)
			if err == nil {
				r.take(pin, o.pin)
				r.warn(cell.Name+" moved", cell.Name, taken)
				return image, nil
			}
			if ctx.Err() != nil {
				return Image{}, err
			}
			if errors.Is(err, debian.ErrNoSecond) {
				reasons = append(reasons, debian.ErrNoSecond.Error())
				break
			}
			reasons = append(reasons, fmt.Sprintf("%s%s: %v", o.why, place.why, err))
		}
	}
	return Image{}, fmt.Errorf("%w; also tried: %s", gone, strings.Join(reasons, "; "))
}

// lister names what says that a kernel exists.
func (r *Resolver) lister() string {
	if r.locked {
		return "kernels.lock"
	}
	return "the index"
}

// offers lists the versions of a kernel, and why there are not more.
func (r *Resolver) offers(ctx context.Context, cell matrix.Cell, pin Pin) (all []offer, reasons []string) {
	all = []offer{{pin, "the version that was asked for"}}
	if r.locked {
		return all, nil // nothing else is accepted
	}
	before, err := r.find(ctx, r.archive.Previous(), cell)
	if err != nil {
		reasons = append(reasons, fmt.Sprintf("the index before this one: %v", err))
	} else {
		all = append(all, offer{before, "the version of the index before this one"})
	}
	pinned, inLock := r.pinned(cell)
	if !inLock || pinned.checkSeries(cell.Kernel.Series) != nil {
		reasons = append(reasons, "kernels.lock: it has no such kernel")
	} else {
		all = append(all, offer{pinned, "the version of kernels.lock"})
	}
	return all, reasons
}

// pinned returns the lock's entry for a cell's kernel.
func (r *Resolver) pinned(cell matrix.Cell) (Pin, bool) {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return Pin{}, false
	}
	return r.lock.Find(cell.Kernel.Suite, packaged(cell, rec), cell.Kernel.Package)
}

// packaged returns Debian's name of the architecture of a cell's kernel package.
func packaged(cell matrix.Cell, rec arch.Record) string {
	if cell.Kernel.From == matrix.Source {
		return sourceArch
	}
	return rec.Debian
}

// find resolves a cell's kernel in an archive.
func (r *Resolver) find(ctx context.Context, a Archive, cell matrix.Cell) (pin Pin, err error) {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return Pin{}, err
	}
	k := cell.Kernel
	if k.From == matrix.Source {
		pin, err = resolveSource(ctx, a, k.Suite, k.Package)
	} else {
		pin, err = resolve(ctx, a, k.Suite, packaged(cell, rec), k.Package)
	}
	if err == nil {
		err = pin.checkSeries(k.Series)
	}
	return pin, err
}

// take remembers that a kernel was taken in place of another.
func (r *Resolver) take(asked, taken Pin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken[asked.Image.SHA256] = taken
}

// instead returns the kernel that was taken in place of a pin, or the pin.
func (r *Resolver) instead(pin Pin) Pin {
	r.mu.Lock()
	defer r.mu.Unlock()
	if taken, ok := r.taken[pin.Image.SHA256]; ok {
		return taken
	}
	return pin
}
