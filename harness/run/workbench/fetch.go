package workbench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// Fetch prepares everything that the cells need, without booting them. With a ToolsProblem it
// leaves out the guest programs. If one cell fails, it
// still fetches the others.
func (b *Bench) Fetch(ctx context.Context, cells []matrix.Cell) ([]kernel.Image, []kernel.Pin, error) {
	images := make([]kernel.Image, len(cells))
	pins := make([]kernel.Pin, len(cells))
	failures := make([]error, len(cells))
	var group errgroup.Group
	group.SetLimit(2 * b.Host.Cores)
	for i, cell := range cells {
		group.Go(func() error {
			images[i], pins[i], failures[i] = b.fetch(ctx, cell)
			return nil
		})
	}
	_ = group.Wait()
	return images, pins, errors.Join(failures...)
}

func (b *Bench) fetch(ctx context.Context, cell matrix.Cell) (image kernel.Image, pin kernel.Pin, err error) {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return image, pin, err
	}
	if image, err = b.Kernels.Image(ctx, cell); err != nil {
		return image, pin, err
	}
	if pin, err = b.Kernels.Resolve(ctx, cell); err != nil {
		return image, pin, err
	}
	if _, err = b.Toolbox.Find(ctx, rec); err != nil {
		return image, pin, err
	}
	if b.ToolsProblem == nil {
		_, err = b.Guests.Image(ctx, rec)
	}
	return image, pin, err
}

// Pins returns the packages that hold the kernels of cells. It downloads none of them.
func (b *Bench) Pins(ctx context.Context, cells []matrix.Cell) ([]kernel.Pin, error) {
	var pins []kernel.Pin
	for _, cell := range cells {
		pin, err := b.Kernels.Resolve(ctx, cell)
		if err != nil {
			return nil, err
		}
		pins = append(pins, pin)
	}
	return pins, nil
}

// WriteLock writes the kernels of the whole matrix to the lock in the checkout.
func (b *Bench) WriteLock(pins []kernel.Pin) error {
	data, err := kernel.LockOf(pins).Marshal()
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(b.root(), "fixtures", lockFile), data, 0o644); err != nil {
		return fmt.Errorf("write the kernel lock: %w", err)
	}
	return nil
}
