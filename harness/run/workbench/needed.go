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

// Needed lists the packages of the cells' kernels and emulators, the kernels first, each by its
// file. It downloads none of them.
func (b *Bench) Needed(ctx context.Context, cells []matrix.Cell) ([]Needed, error) {
	var all []Needed
	at := map[string]int{}
	add := func(what, cell string, packages []debian.Package) {
		for _, p := range packages {
			i, known := at[p.Filename]
			if !known {
				i = len(all)
				at[p.Filename] = i
				all = append(all, Needed{What: what, Package: p.Name, Version: p.Version, Arch: p.Arch, Suite: p.Suite, Filename: p.Filename,
					Size: p.Size, SHA256: p.SHA256, From: b.Client.Mirror().Name(), Cached: b.Cache.Holds(p.SHA256, p.Size)})
			}
			if !slices.Contains(all[i].Cells, cell) {
				all[i].Cells = append(all[i].Cells, cell)
			}
		}
	}
	emulators := map[string][]debian.Package{}
	for _, cell := range cells {
		rec, err := arch.Lookup(cell.Arch)
		if err != nil {
			return nil, err
		}
		pin, err := b.Kernels.Resolve(ctx, cell)
		if err != nil {
			return nil, err
		}
		add("kernel", cell.Name, pin.Packages())
		packages, known := emulators[rec.GOARCH]
		if !known {
			if packages, err = b.Toolbox.Needed(ctx, rec); err != nil {
				return nil, fmt.Errorf("emulator of %s: %w", rec.GOARCH, err)
			}
			emulators[rec.GOARCH] = packages
		}
		add("emulator", cell.Name, packages)
	}
	slices.SortFunc(all, func(x, y Needed) int {
		return cmp.Or(-cmp.Compare(x.What, y.What), cmp.Compare(x.Filename, y.Filename))
	})
	return all, nil
}
