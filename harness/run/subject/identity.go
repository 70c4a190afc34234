package subject

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// ErrUnwatched means that nothing says whether a subject's kernel is another one than before,
// unless the subject is run.
var ErrUnwatched = errors.New("nothing names its kernel before it runs")

// Identity names the kernel that a subject would run now: a package with its version and hash, or
// a file with its size and time. Another kernel has another identity. It downloads at most the
// index of an archive. The error is ErrUnwatched for a system that runs already, and for a cell
// that nobody supplies anything for.
func Identity(ctx context.Context, bench *workbench.Bench, s Subject) (string, error) {
	switch s := s.(type) {
	case Cell:
		return ofCell(ctx, bench, s.Cell)
	case Listed:
		return s.identity(ctx, bench)
	}
	return "", ErrUnwatched
}

func ofCell(ctx context.Context, bench *workbench.Bench, cell matrix.Cell) (string, error) {
	if cell.Kernel.From == matrix.Supplied || cell.Kernel.From == matrix.Given || cell.Host != "" {
		return "", ErrUnwatched
	}
	pin, err := bench.Kernels.Resolve(ctx, cell)
	if err != nil {
		return "", err
	}
	return packaged(pin.Image.Package, pin.Image.Version, pin.Image.SHA256), nil
}

func (l Listed) identity(ctx context.Context, bench *workbench.Bench) (string, error) {
	switch {
	case l.Builtin != nil:
		return ofCell(ctx, bench, *l.Builtin)
	case l.Target != "":
		return "", ErrUnwatched
	case l.Suite != "":
		found, _, _, err := l.Found(ctx, bench)
		return packaged(found.Image.Name, found.Image.Version, found.Image.SHA256), err
	case l.Repository != "":
		r, err := l.repository(Own{}).repository(bench)
		if err != nil {
			return "", err
		}
		href, sum, err := r.Newest(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s (SHA-256 %.12s)", href, sum), nil
	}
	var parts []string
	for _, s := range []*matrixfile.Source{l.Kernel, l.Image} {
		if s == nil {
			continue
		}
		text, err := ofFile(*s)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", "), nil
}

// Ran returns the identity of the kernel that a cell ran, in the words of Identity; "" if it is
// not from an archive.
func Ran(c evidence.CellRun) string {
	if c.Kernel == nil || c.Cell.Kernel.From == matrix.Given || c.Kernel.Provenance.Package == "" {
		return ""
	}
	p := c.Kernel.Provenance
	return packaged(p.Package, p.Version, p.SHA256)
}

func packaged(name, version, sum string) string {
	return fmt.Sprintf("%s %s (SHA-256 %.12s)", name, version, sum)
}

// ofFile names a file. One with a URL has a hash in the matrix file. The others are images of
// many GiB, whose hash would take longer than a cell: their size and time tell.
func ofFile(s matrixfile.Source) (string, error) {
	if s.URL != "" {
		return fmt.Sprintf("%s (SHA-256 %.12s)", s.Base(), s.SHA256), nil
	}
	info, err := os.Stat(s.Path)
	if err != nil {
		return "", err
	}
	name, size, changed := filepath.Base(s.Path), info.Size(), info.ModTime()
	if info.IsDir() { // a repository
		if info, err = os.Stat(filepath.Join(s.Path, "repodata", "repomd.xml")); err != nil {
			return "", err
		}
		size, changed = info.Size(), info.ModTime()
	}
	return fmt.Sprintf("%s (%d bytes of %s)", name, size, changed.UTC().Format(time.RFC3339Nano)), nil
}
