package workbench

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/debian"
)

// Needed is a package that a run of some cells takes from an archive.
type Needed struct {
	What     string `json:"what"` // "kernel" or "emulator"
	Package  string `json:"package"`
	Version  string `json:"version"`
	Arch     string `json:"arch"` // Debian's name
	Suite    string `json:"suite"`
	Filename string `json:"filename"` // below From
	Size     int64  `json:"size"`     // bytes
	SHA256   string `json:"sha256"`
	From     string `json:"from"`   // URL of the mirror, or what stands for it
	Cached   bool   `json:"cached"` // the cache has the file already
	// Cells names the cells that need the package, in their order.
	Cells []string `json:"cells"`
}

// Needs collects what cells need.
type Needs struct {
	bench     *Bench
	all       []Needed
	at        map[string]int // index in all, by where the file is
	emulators map[string][]debian.Package
}

// Needs returns an empty collection.
func (b *Bench) Needs() *Needs {
	return &Needs{bench: b, at: map[string]int{}, emulators: map[string][]debian.Package{}}
}

func (n *Needs) add(what, cell, from string, packages []debian.Package) {
	for _, p := range packages {
		key := from + " " + p.Filename
		i, known := n.at[key]
		if !known {
			i = len(n.all)
			n.at[key] = i
			n.all = append(n.all, Needed{What: what, Package: p.Name, Version: p.Version, Arch: p.Arch, Suite: p.Suite, Filename: p.Filename,
				Size: p.Size, SHA256: p.SHA256, From: from, Cached: n.bench.Cache.Holds(p.SHA256, p.Size)})
		}
		if !slices.Contains(n.all[i].Cells, cell) {
			n.all[i].Cells = append(n.all[i].Cells, cell)
		}
	}
}

// Kernel adds the packages of a cell's kernel. from is how readers know where they are.
func (n *Needs) Kernel(cell, from string, packages []debian.Package) {
	n.add("kernel", cell, from, packages)
}

// Emulator adds the packages of the emulator of a cell's architecture.
func (n *Needs) Emulator(ctx context.Context, cell string, rec arch.Record) (err error) {
	packages, known := n.emulators[rec.GOARCH]
	if !known {
		if packages, err = n.bench.Toolbox.Needed(ctx, rec); err != nil {
			return fmt.Errorf("emulator of %s: %w", rec.GOARCH, err)
		}
		n.emulators[rec.GOARCH] = packages
	}
	n.add("emulator", cell, n.bench.Client.Mirror().Name(), packages)
	return nil
}

// Cells adds the packages of cells of the built-in matrix. It downloads none of them.
func (n *Needs) Cells(ctx context.Context, cells []matrix.Cell) error {
	for _, cell := range cells {
		rec, err := arch.Lookup(cell.Arch)
		if err != nil {
			return err
		}
		pin, err := n.bench.Kernels.Resolve(ctx, cell)
		if err != nil {
			return err
		}
		n.Kernel(cell.Name, n.bench.Client.Mirror().Name(), pin.Packages())
		if err := n.Emulator(ctx, cell.Name, rec); err != nil {
			return err
		}
	}
	return nil
}

// List returns the packages, the kernels first, each by its file.
func (n *Needs) List() []Needed {
	all := slices.Clone(n.all)
	slices.SortFunc(all, func(x, y Needed) int {
		return cmp.Or(-cmp.Compare(x.What, y.What), cmp.Compare(x.Filename, y.Filename), cmp.Compare(x.From, y.From))
	})
	return all
}
