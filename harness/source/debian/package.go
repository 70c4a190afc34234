package debian

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"pault.ag/go/debian/control"
	"pault.ag/go/debian/dependency"
	"pault.ag/go/debian/version"

	"github.com/mapstack/conformance/harness/cache"
)

// Package is one binary package of an archive.
type Package struct {
	Suite    string `json:"suite"` // the suite it was found in
	Name     string `json:"name"`
	Version  string `json:"version"`
	Arch     string `json:"arch"`     // Debian's name; "all" for packages without one
	Filename string `json:"filename"` // below the mirror's URL
	Size     int64  `json:"size"`     // bytes
	SHA256   string `json:"sha256"`
	// Depends is Pre-Depends and Depends. Provides lists the virtual packages. Both
	// are as written in the index.
	Depends  string `json:"-"`
	Provides string `json:"-"`
}

// maxPackage bounds one download, in bytes. The largest package of Debian has 3 GB.
const maxPackage = 8 << 30

func (p Package) label() string {
	if p.Name == "" {
		return path.Base(p.Filename)
	}
	return p.Name + " " + p.Version
}

// CheckFile returns an error if the package cannot be downloaded safely.
func (p Package) CheckFile() error {
	switch {
	case !fs.ValidPath(p.Filename) || p.Filename == ".":
		return fmt.Errorf("package %s: file name %q does not name a file below the mirror", p.label(), p.Filename)
	case p.Size <= 0 || p.Size > maxPackage:
		return fmt.Errorf("package %s: size %d is not between 1 and %d bytes", p.label(), p.Size, int64(maxPackage))
	case !cache.ValidSHA256(p.SHA256):
		return fmt.Errorf("package %s: %q is not a SHA-256 in lower-case hexadecimal", p.label(), p.SHA256)
	}
	return nil
}

// DependsOn returns a list of package names for each dependency. Any one of them
// satisfies it; the first is preferred. Versions are left out: the archive keeps
// them consistent within a suite.
func (p Package) DependsOn() ([][]string, error) {
	d, err := dependency.Parse(p.Depends)
	if err != nil {
		return nil, fmt.Errorf("package %s: its dependencies %.80q: %w", p.label(), p.Depends, err)
	}
	return names(d), nil
}

func names(d *dependency.Dependency) [][]string {
	var all [][]string
	for _, r := range d.Relations {
		var any []string
		for _, p := range r.Possibilities {
			any = append(any, p.Name)
		}
		all = append(all, any)
	}
	return all
}

// newPackage returns the package of one paragraph of a Packages file, after checking
// it.
func newPackage(suite string, para *control.Paragraph) (Package, error) {
	v := func(field string) string { return strings.TrimSpace(para.Values[field]) }
	p := Package{
		Suite: suite, Name: v("Package"), Version: v("Version"), Arch: v("Architecture"),
		Filename: strings.TrimPrefix(v("Filename"), "./"), SHA256: strings.ToLower(v("SHA256")),
		Depends: joinDepends(v("Pre-Depends"), v("Depends")), Provides: v("Provides"),
	}
	if !ValidPackage(p.Name) {
		return Package{}, fmt.Errorf("%q is not a package name", p.Name)
	}
	if _, err := version.Parse(p.Version); err != nil {
		return Package{}, fmt.Errorf("package %s: version %q: %w", p.Name, p.Version, err)
	}
	size, err := strconv.ParseInt(v("Size"), 10, 64)
	if err != nil {
		return Package{}, fmt.Errorf("package %s: size %q is not a number", p.Name, v("Size"))
	}
	p.Size = size
	return p, p.CheckFile()
}

func joinDepends(pre, deps string) string {
	if pre == "" || deps == "" {
		return pre + deps
	}
	return pre + ", " + deps
}

// newer reports whether p has a later version than q, in the order of dpkg.
func (p Package) newer(q Package) bool { return CompareVersions(p.Version, q.Version) > 0 }

// CompareVersions returns -1, 0 or 1 as the version a is before, the same as or after b in the
// order of dpkg. Of a text that is no version it returns 0.
func CompareVersions(a, b string) int {
	x, errX := version.Parse(a)
	y, errY := version.Parse(b)
	if errX != nil || errY != nil {
		return 0
	}
	return cmp.Compare(version.Compare(x, y), 0)
}
