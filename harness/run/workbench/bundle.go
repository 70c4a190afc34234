package workbench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/bundle"
	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// cellsFile is the file that lists the cells of a bundle, one on each line.
const cellsFile = "cells"

// Bundled returns the cells that this program can run. A program that is no bundle can run
// all of them.
func Bundled(cells []matrix.Cell) ([]matrix.Cell, error) {
	if prebuilt.Images() == nil {
		return cells, nil
	}
	own, err := bundle.Own()
	if err != nil || own == nil {
		return cells, err
	}
	text, err := fs.ReadFile(own, cellsFile)
	if err != nil {
		return nil, fmt.Errorf("read which cells this bundle has: %w", err)
	}
	names := strings.Fields(string(text))
	return slices.DeleteFunc(cells, func(c matrix.Cell) bool { return !slices.Contains(names, c.Name) }), nil
}

// CanBundle returns why this program cannot be made into a bundle; nil if it can.
func CanBundle() error {
	if prebuilt.Images() == nil {
		return errors.New("this mapstack has no guest programs inside, because it compiles them; make dist builds one that can be bundled")
	}
	own, err := bundle.Own()
	if err == nil && own != nil {
		err = errors.New("this is a bundle already; make another one with the program that make dist builds")
	}
	return err
}

// Bundle writes a program that runs the cells without a network to a file. It consists of
// this program, the packages of the cells' kernels, and the packages of QEMU for this host's
// architecture. emulated are architectures whose emulator is needed besides those of the cells,
// and more are further files.
func (b *Bench) Bundle(ctx context.Context, cells []matrix.Cell, pins []kernel.Pin, emulated []arch.Record, more []bundle.File, to string) error {
	lock, err := kernel.LockOf(pins).Marshal()
	if err != nil {
		return err
	}
	var names []byte
	for _, cell := range cells {
		names = append(names, cell.Name+"\n"...)
	}
	files := append([]bundle.File{{Name: lockFile, Data: lock}, {Name: cellsFile, Data: names}}, more...)
	var packages []debian.Package
	for _, pin := range pins {
		packages = append(packages, pin.Packages()...)
	}
	for _, cell := range cells {
		rec, err := arch.Lookup(cell.Arch)
		if err != nil {
			return err
		}
		emulated = append(emulated, rec)
	}
	for _, rec := range emulated {
		emulator, signed, err := b.Toolbox.Packages(ctx, rec)
		if err != nil {
			return err
		}
		packages = append(packages, emulator...)
		files = append(files, bundle.File{Name: signed.InReleasePath, Data: signed.InRelease}, bundle.File{Name: signed.IndexPath, Path: signed.Index})
	}
	for _, p := range packages {
		file, err := b.Client.Fetch(ctx, p)
		if err != nil {
			return err
		}
		files = append(files, bundle.File{Name: p.Filename, Path: file})
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return bundle.Write(ctx, to, program, files)
}
