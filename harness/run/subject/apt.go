package subject

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/intake"
)

// Apt says which kernel of an apt repository is tested.
type Apt struct {
	Suite      string
	Components []string
	Package    string // or a glob
	SHA256     string // "" for the newest one
}

// apt returns the apt repository that File names.
func (k Kernel) apt(bench *workbench.Bench) (r intake.AptRepository, err error) {
	rec, err := arch.Lookup(k.Arch)
	if err != nil {
		return r, fmt.Errorf("a repository has kernels of several architectures; name one: %w", err)
	}
	mirror := bench.Client.Mirror() // for the way there, and what its owner accepts
	if mirror.URL, err = debian.RepositoryURL(k.File); err != nil {
		return r, fmt.Errorf("the repository %s: %w", k.File, err)
	}
	mirror.Source, mirror.Offline = k.File, bench.Offline() && mirror.URL.Scheme != "file"
	var keyring []byte
	if k.Keyring != "" {
		if keyring, err = os.ReadFile(k.Keyring); err != nil {
			return r, fmt.Errorf("read the keyring: %w", err)
		}
	}
	r = intake.AptRepository{Opener: opener(bench), Wanted: debian.Wanted{Suite: k.Apt.Suite, Components: k.Apt.Components, Package: k.Apt.Package,
		Architectures: intake.AptNames(rec), SHA256: k.Apt.SHA256}}
	if r.Repository, err = debian.NewRepository(bench.Cache, mirror, keyring, bench.Sink); err != nil {
		return r, fmt.Errorf("the repository %s: %w", k.File, err)
	}
	return r, nil
}

// repository returns a kernel of the repository of a cell.
func (l Listed) repository(own Own) Kernel {
	k := Kernel{File: l.Repository, Keyring: l.Keyring, Arch: l.Arch, OS: l.OS, Own: own}
	if l.Suite != "" {
		k.Apt = &Apt{Suite: l.Suite, Components: l.Components, Package: l.Package, SHA256: l.SHA256}
	}
	return k
}

// Found returns the packages of the kernel of a cell with an apt repository, and how readers
// know the repository. It downloads the lists of packages alone. ok is false for other cells.
func (l Listed) Found(ctx context.Context, bench *workbench.Bench) (found debian.Found, from string, ok bool, err error) {
	if l.Suite == "" {
		return found, "", false, nil
	}
	r, err := l.repository(Own{}).apt(bench)
	if err == nil {
		found, err = r.Find(ctx)
	}
	if err != nil {
		return found, "", true, l.blamed(err)
	}
	return found, r.Name(), true, nil
}

// Needed lists the packages that a run of cells takes from archives, without downloading them.
// Files of a matrix file's own are not among them.
func Needed(ctx context.Context, bench *workbench.Bench, cells []Listed, needs *workbench.Needs) error {
	for _, l := range cells {
		found, from, ok, err := l.Found(ctx, bench)
		if err != nil {
			return err
		}
		if ok {
			packages := []debian.Package{found.Image}
			if found.Beside != nil { // it is needed unless the image has the configuration
				packages = append(packages, *found.Beside)
			}
			needs.Kernel(l.Name, from, packages)
		}
		if rec, err := arch.Lookup(l.Arch); err == nil && l.Target == "" {
			if err := needs.Emulator(ctx, l.Name, rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// absolute returns the forms in which an error may name a repository besides the cell's own.
func absolute(where string) []string {
	u, err := debian.RepositoryURL(where)
	if where == "" || err != nil || u.Scheme != "file" {
		return nil
	}
	decoded, err := url.PathUnescape(u.EscapedPath())
	if err != nil {
		return []string{u.EscapedPath()}
	}
	return []string{u.EscapedPath(), decoded}
}
