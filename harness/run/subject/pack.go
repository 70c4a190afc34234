package subject

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/bundle"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/remote"
)

// Packed is what a bundle needs for cells of a matrix file.
type Packed struct {
	// Architectures are those that need an emulator, each once.
	Architectures []arch.Record
	// Files are the downloads of the cells.
	Files []bundle.File
	// Beside are the names of the cells whose files are read where the matrix file says, so
	// that they must be taken along with it.
	Beside []string
}

// Pack gets what the cells need. A repository on a server cannot be asked where there is no
// network, and is an error.
func Pack(ctx context.Context, bench *workbench.Bench, cells []Listed) (p Packed, err error) {
	for _, l := range cells {
		if strings.Contains(l.Repository, "://") {
			return p, fmt.Errorf("%s: cell %s has a repository on a server, which a bundle cannot ask; name a folder with a copy of it, or leave the cell out with --skip %s", l.Place, l.Name, l.Name)
		}
	}
	prepared, err := Prepare(ctx, bench, cells)
	if err != nil {
		return p, err
	}
	for i, l := range cells {
		if rec, err := arch.Lookup(prepared[i].Arch); err == nil && l.Target == "" {
			if !slices.ContainsFunc(p.Architectures, func(known arch.Record) bool { return known.GOARCH == rec.GOARCH }) {
				p.Architectures = append(p.Architectures, rec)
			}
		}
		beside := l.Repository + l.Keyring + l.Firmware + l.GuestAgent + l.PasswordFile
		for _, s := range []*matrixfile.Source{l.Kernel, l.Image} {
			switch {
			case s == nil:
			case s.URL == "":
				beside += s.Path
			default:
				file, _, err := here(ctx, bench, s)
				if err != nil {
					return p, err
				}
				p.Files = append(p.Files, bundle.File{Name: remote.PackedName(s.SHA256), Path: file})
			}
		}
		if beside != "" {
			p.Beside = append(p.Beside, l.Name)
		}
	}
	return p, nil
}
