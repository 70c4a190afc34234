package kernel

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/debian"
)

// Flavour returns every kernel of suites that has the flavour and the architecture of a cell's,
// the oldest first. Nothing is downloaded but the indexes. A resolver that accepts pinned
// kernels alone returns those of kernels.lock.
func (r *Resolver) Flavour(ctx context.Context, cell matrix.Cell, suites []string) ([]Pin, error) {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return nil, err
	}
	if cell.Kernel.From != matrix.Archive {
		return nil, fmt.Errorf("the kernel of cell %s is no package of an archive, so that no other kernels are listed beside it; name a cell whose kernel is one", cell.Name)
	}
	flavour := flavourOf(cell.Kernel.Package)
	var all []Pin
	if r.locked {
		for _, p := range r.lock.Kernels {
			if p.Arch == rec.Debian && slices.Contains(suites, p.Suite) && ofFlavour(p.Release, flavour) {
				all = append(all, p)
			}
		}
	} else if all, err = r.listed(ctx, suites, rec.Debian, flavour); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no kernel of the flavour %q for %s is in the suites %s", flavour, rec.Debian, strings.Join(suites, ", "))
	}
	slices.SortStableFunc(all, func(p, q Pin) int { return debian.CompareVersions(p.Image.Version, q.Image.Version) })
	// Two suites may have the same package.
	return slices.CompactFunc(all, func(p, q Pin) bool { return p.Image.SHA256 == q.Image.SHA256 }), nil
}

// listed resolves every kernel of a flavour that the suites list. An archive may list a kernel
// whose other packages are gone. Without its configuration it can still be booted.
func (r *Resolver) listed(ctx context.Context, suites []string, arch, flavour string) (all []Pin, err error) {
	var without, lost []string
	for _, suite := range suites {
		names, err := r.archive.Images(ctx, suite, arch)
		if errors.Is(err, debian.ErrGone) {
			r.warn("suite "+suite, "", fmt.Sprintf("the mirror does not have the suite %s, so that its kernels are left out", suite))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the kernels of %s: %w", suite, err)
		}
		for _, name := range names {
			m := imagePackage.FindStringSubmatch(name)
			if m == nil || m[2] != "" || !ofFlavour(m[1], flavour) {
				continue // the unsigned one holds the same kernel
			}
			pin, err := resolve(ctx, r.archive, suite, arch, name)
			part := (*debian.NotListedError)(nil)
			switch {
			case errors.As(err, &part) && part.Name == configPackage(m[1]):
				without = append(without, m[1])
			case errors.As(err, &part):
				lost = append(lost, part.Name)
				continue
			case err != nil:
				return nil, err
			}
			all = append(all, pin)
		}
	}
	if len(without) > 0 {
		r.warn("without", "", "the archive no longer lists the configurations of these kernels, so that claims which need one are not decided on them: "+strings.Join(without, " "))
	}
	if len(lost) > 0 {
		r.warn("lost", "", "the archive no longer lists these packages, so that their kernels are left out: "+strings.Join(lost, " "))
	}
	return all, nil
}

// Packed returns the package that holds a kernel, checked and in the cache. It also returns the
// configuration, if another package holds that.
func (r *Resolver) Packed(ctx context.Context, pin Pin) (file string, config []byte, err error) {
	if file, err = r.fetchAnywhere(ctx, pin, pin.Image); err != nil || pin.Config == nil {
		return file, nil, err
	}
	beside, err := r.fetchAnywhere(ctx, pin, *pin.Config)
	if err != nil {
		return "", nil, err
	}
	found, err := pick(ctx, beside, want{configPaths(pin.Release), maxConfig})
	if err != nil {
		return "", nil, err
	}
	return file, found[0], nil
}

// fetchAnywhere fetches a package, from the second mirror if the first does not have it.
func (r *Resolver) fetchAnywhere(ctx context.Context, pin Pin, f File) (string, error) {
	file, err := r.fetch(ctx, pin, f, r.archive.Fetch)
	if !errors.Is(err, debian.ErrGone) {
		return file, err
	}
	file, second := r.fetch(ctx, pin, f, r.archive.FetchSecond)
	if second == nil {
		return file, nil
	}
	return "", fmt.Errorf("%w; also tried: %w", err, second)
}

// abiName matches what follows the number of a kernel in the names of Debian's packages: the 50 of
// 6.1.0-50-amd64, or 0.deb11.21 of a backport.
var abiName = regexp.MustCompile(`^[0-9]+(\.[a-z0-9]+)*$`)

// flavourOf returns the flavour of a kernel package or a metapackage, such as amd64, cloud-amd64
// or 5kc-malta.
func flavourOf(name string) string {
	m := imagePackage.FindStringSubmatch(name)
	if m == nil {
		return strings.TrimPrefix(name, "linux-image-") // a metapackage
	}
	words := strings.Split(m[1], "-")[1:]
	for len(words) > 0 && abiName.MatchString(words[0]) {
		words = words[1:]
	}
	return strings.Join(words, "-")
}

// ofFlavour reports whether a release is of a flavour: 6.1.0-50-cloud-amd64 is not of amd64.
func ofFlavour(release, flavour string) bool {
	number, ok := strings.CutSuffix(release, "-"+flavour)
	last := number[strings.LastIndexByte(number, '-')+1:]
	return ok && flavour != "" && last != "" && '0' <= last[0] && last[0] <= '9'
}
