package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/harness/matrix/strictyaml"
	"github.com/mapstack/conformance/harness/source/debian"
)

// Lock is the content of kernels.lock: the packages that each kernel of the matrix
// resolved to.
type Lock struct {
	Kernels []Pin `yaml:"kernels"`
}

// maxLock bounds a lock file, in bytes: enough for thousands of kernels.
const maxLock = 4 << 20

const lockHead = `# The kernels that LOCKED=1 accepts, one entry for each kernel of cells.yaml.
# Written by "bin/mapstack fetch --update-lock"; commit it, do not edit it.
`

// ParseLock reads a lock file. Errors name it by file.
func ParseLock(file string, data []byte) (Lock, error) {
	if len(data) > maxLock {
		return Lock{}, fmt.Errorf("%s: %d bytes are more than the %d a lock file may have", file, len(data), maxLock)
	}
	var l Lock
	if err := strictyaml.Decode(data, &l); err != nil {
		return Lock{}, fmt.Errorf("%s: %w", file, err)
	}
	var problems []error
	seen := map[string]bool{}
	for _, p := range l.Kernels {
		if err := p.check(); err != nil {
			problems = append(problems, fmt.Errorf("%s: entry for %s: %w; restore it with git, or write it anew with bin/mapstack fetch --update-lock", file, p.key(), err))
		}
		if seen[p.key()] {
			problems = append(problems, fmt.Errorf("%s: %s has two entries; restore it with git, or write it anew with bin/mapstack fetch --update-lock", file, p.key()))
		}
		seen[p.key()] = true
	}
	if err := errors.Join(problems...); err != nil {
		return Lock{}, err
	}
	return l, nil
}

// LockOf returns the lock of resolved cells. Several cells may share a kernel.
func LockOf(pins []Pin) Lock {
	var l Lock
	for _, p := range pins {
		l = l.With(p)
	}
	return l
}

// Marshal returns the file's content. The same set of entries gives the same
// content, in any order.
func (l Lock) Marshal() ([]byte, error) {
	l.Kernels = slices.Clone(l.Kernels)
	slices.SortFunc(l.Kernels, Pin.compare)
	body, err := yaml.MarshalWithOptions(l, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write kernel lock: %w", err)
	}
	return append([]byte(lockHead), body...), nil
}

// Find returns the entry for a cell's suite, Debian's name of its architecture, and
// package.
func (l Lock) Find(suite, arch, asked string) (Pin, bool) {
	i := slices.IndexFunc(l.Kernels, func(p Pin) bool {
		return p.Suite == suite && p.Arch == arch && p.Asked == asked
	})
	if i < 0 {
		return Pin{}, false
	}
	return l.Kernels[i], true
}

// With returns the lock with p, which replaces an entry for the same question.
func (l Lock) With(p Pin) Lock {
	kept := slices.DeleteFunc(slices.Clone(l.Kernels), func(q Pin) bool { return q.key() == p.key() })
	return Lock{Kernels: append(kept, p)}
}

func (p Pin) key() string { return p.Suite + " " + p.Arch + " " + p.Asked }

func (p Pin) compare(q Pin) int {
	return cmp.Or(cmp.Compare(p.Suite, q.Suite), cmp.Compare(p.Arch, q.Arch), cmp.Compare(p.Asked, q.Asked))
}

// same reports whether two pins name the same bytes.
func (p Pin) same(q Pin) bool {
	if p.Image.SHA256 != q.Image.SHA256 || (p.Config == nil) != (q.Config == nil) {
		return false
	}
	return p.Config == nil || p.Config.SHA256 == q.Config.SHA256
}

func (p Pin) check() error {
	switch {
	case !debian.ValidSuite(p.Suite):
		return fmt.Errorf("%q is not the name of a suite", p.Suite)
	case !debian.ValidArch(p.Arch):
		return fmt.Errorf("%q is not Debian's name of an architecture", p.Arch)
	case !debian.ValidPackage(p.Asked):
		return fmt.Errorf("%q is not the name of a package", p.Asked)
	}
	if _, err := release.Parse(p.Release); err != nil {
		return err
	}
	if err := p.Image.check(p); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if p.Config != nil {
		if err := p.Config.check(p); err != nil {
			return fmt.Errorf("config: %w", err)
		}
	}
	return nil
}

func (f File) check(p Pin) error {
	switch {
	case !debian.ValidPackage(f.Package):
		return fmt.Errorf("%q is not the name of a package", f.Package)
	case f.Version == "" || len(f.Version) > 128:
		return fmt.Errorf("version %.130q is not one", f.Version)
	}
	return f.in(p).CheckFile()
}
