package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/debian"
)

// AptRepository is an apt repository that holds the kernel that is wanted.
type AptRepository struct {
	*debian.Repository
	Wanted debian.Wanted
	Opener Opener // opens the package
}

// AptNames returns the names that an architecture may have in apt repositories: Debian's, and what
// vendors call it that had a port before Debian, such as loongarch64 and sw_64.
func AptNames(rec arch.Record) (names []string) {
	for _, name := range append([]string{rec.Debian, rec.GOARCH, rec.Uname}, rec.Aliases...) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Find returns the packages of the kernel. It downloads the lists of packages alone.
func (a AptRepository) Find(ctx context.Context) (debian.Found, error) {
	found, err := a.Repository.Find(ctx, a.Wanted)
	if err != nil {
		err = fmt.Errorf("find a kernel in the repository %s: %w", a.Name(), err)
	}
	return found, err
}

// Open finds the kernel in its package, and its configuration there or in a package beside it.
func (a AptRepository) Open(ctx context.Context, scratch string) (Found, debian.Found, error) {
	packages, err := a.Find(ctx)
	if err != nil {
		return Found{}, packages, err
	}
	found, err := a.open(ctx, packages, scratch)
	if err != nil {
		return Found{}, packages, fmt.Errorf("find a kernel in the repository %s: %w", a.Name(), err)
	}
	return found, packages, nil
}

func (a AptRepository) open(ctx context.Context, packages debian.Found, scratch string) (Found, error) {
	p := packages.Image
	file, err := a.Fetch(ctx, p)
	if err != nil {
		return Found{}, err
	}
	found, err := a.Opener.open(ctx, file, scratch)
	if err != nil {
		return Found{}, fmt.Errorf("package %s %s: %w", p.Name, p.Version, err)
	}
	chain := []string{"apt repository", strings.TrimSpace("suite " + a.Wanted.Suite + " " + strings.Join(a.Wanted.Components, " ")), p.Name + " " + p.Version}
	if beside := packages.Beside; found.Config == nil && beside != nil {
		if file, err = a.Fetch(ctx, *beside); err != nil {
			return Found{}, err
		}
		other, err := a.Opener.open(ctx, file, scratch)
		if err != nil && ctx.Err() != nil {
			return Found{}, errors.Join(err, context.Cause(ctx))
		}
		if found.Config = other.Config; found.Config != nil { // a package without a kernel is an error
			chain = append(chain, "configuration from "+beside.Name+" "+beside.Version)
		}
	}
	found.File, found.Package, found.Version, found.Chain = a.Name(), p.Name, p.Version, append(chain, found.Chain...)
	return found, nil
}
