package kernel

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/harness/source/debian"
)

// Archive is the part of a package archive that resolving needs.
type Archive interface {
	// Find returns a package of a suite by Debian's name of the architecture.
	// Its error says which kernels the suite has.
	Find(ctx context.Context, suite, arch, name string) (debian.Package, error)
	// Images returns the sorted names of the kernel packages of a suite, with metapackages. A
	// suite without the architecture has none.
	Images(ctx context.Context, suite, arch string) ([]string, error)
	// Fetch returns the path of a verified package; it must not be written to. A package
	// that the archive does not have is a debian.ErrGone.
	Fetch(ctx context.Context, p debian.Package) (string, error)
	// FetchSecond does the same with a second archive, if one is named.
	FetchSecond(ctx context.Context, p debian.Package) (string, error)
	// Previous returns the archive with the index before the present one.
	Previous() Archive
}

// FromDebian is the archive of a debian.Client.
func FromDebian(c *debian.Client) Archive { return debianArchive{c, c.Index} }

type debianArchive struct {
	*debian.Client
	index func(ctx context.Context, suite, arch string) (*debian.Index, error)
}

func (a debianArchive) Fetch(ctx context.Context, p debian.Package) (string, error) {
	return a.FetchHere(ctx, p)
}

func (a debianArchive) Images(ctx context.Context, suite, arch string) ([]string, error) {
	r, err := a.Release(ctx, suite)
	if err != nil || !slices.Contains(r.Architectures, arch) {
		return nil, err
	}
	x, err := a.index(ctx, suite, arch)
	if err != nil {
		return nil, err
	}
	return x.Names("linux-image-")
}

func (a debianArchive) Previous() Archive { return debianArchive{a.Client, a.Client.Previous} }

func (a debianArchive) Find(ctx context.Context, suite, arch, name string) (debian.Package, error) {
	x, err := a.index(ctx, suite, arch)
	if err != nil {
		return debian.Package{}, err
	}
	p, err := x.Find(name)
	if err == nil {
		return p, nil
	}
	all, listErr := x.Names("linux-image-")
	if listErr != nil {
		return debian.Package{}, listErr
	}
	var meta []string
	for _, n := range all {
		if !imagePackage.MatchString(n) && !strings.HasSuffix(n, "-dbg") {
			meta = append(meta, n)
		}
	}
	return debian.Package{}, fmt.Errorf("%w; its kernels are %s", err, strings.Join(meta, ", "))
}

// imagePackage matches the package of one kernel. A metapackage depends on the
// newest kernel, and may be called linux-image-5kc-malta.
var imagePackage = regexp.MustCompile(`^linux-image-([0-9]+\.[0-9][a-z0-9+.-]*?)(-unsigned)?$`)

// maxHops bounds a chain of metapackages.
const maxHops = 4

// resolve follows a kernel package, or a metapackage, to the packages that
// hold the kernel and its configuration.
func resolve(ctx context.Context, a Archive, suite, arch, asked string) (Pin, error) {
	pin := Pin{Suite: suite, Arch: arch, Asked: asked}
	name := asked
	for range maxHops {
		p, err := a.Find(ctx, suite, arch, name)
		if err != nil {
			return Pin{}, err
		}
		if m := imagePackage.FindStringSubmatch(name); m != nil {
			if _, err := release.Parse(m[1]); err != nil {
				return Pin{}, fmt.Errorf("package %s: %w", name, err)
			}
			pin.Release = m[1]
			return pin, holders(ctx, a, &pin, p)
		}
		if name, err = nextHop(p); err != nil {
			return Pin{}, err
		}
	}
	return Pin{}, fmt.Errorf("package %s of %s leads to no kernel image within %d packages", asked, suite, maxHops)
}

// nextHop returns the kernel package that a metapackage depends on.
func nextHop(p debian.Package) (string, error) {
	groups, err := p.DependsOn()
	if err != nil {
		return "", err
	}
	for _, alternatives := range groups {
		for _, name := range alternatives {
			if strings.HasPrefix(name, "linux-image-") && name != p.Name {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("package %s of %s depends on no linux-image package, so it is no kernel; name a metapackage such as linux-image-amd64", p.Name, p.Suite)
}

// holders fills in the packages of the kernel and its configuration. That is the
// image package itself. Since Debian 14 it is linux-binary-RELEASE and
// linux-base-RELEASE, on which it depends. The kernel is there also with the error that the
// archive does not list the configuration.
func holders(ctx context.Context, a Archive, pin *Pin, image debian.Package) error {
	pin.Image = fileOf(image)
	groups, err := image.DependsOn()
	if err != nil {
		return err
	}
	var lost error
	for _, name := range slices.Concat(groups...) {
		switch name {
		case "linux-binary-" + pin.Release:
			p, err := a.Find(ctx, pin.Suite, pin.Arch, name)
			if err != nil {
				return err
			}
			pin.Image = fileOf(p)
		case configPackage(pin.Release):
			p, err := a.Find(ctx, pin.Suite, pin.Arch, name)
			if err != nil {
				lost = err
				continue
			}
			f := fileOf(p)
			pin.Config = &f
		}
	}
	return lost
}

// configPackage returns the name of the package that has the configuration of a kernel since
// Debian 14.
func configPackage(release string) string { return "linux-base-" + release }

// checkSeries returns an error if the kernel is of another series than the cell
// names.
func (p Pin) checkSeries(series string) error {
	r, err := release.Parse(p.Release)
	if err != nil {
		return err
	}
	if series == "newest" || r.Series() == series {
		return nil
	}
	return fmt.Errorf("%s of %s is now %s, a %s kernel, but the cell is about %s; correct the cell's suite, package or series",
		p.Asked, p.Suite, p.Release, r.Series(), series)
}
