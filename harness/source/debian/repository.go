package debian

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// Repository is an apt repository of somebody else's than Debian. Its owner's keys sign it, or
// else nobody does, and a hash names the package.
type Repository struct{ client *Client }

// Wanted is the kernel that is looked for in a repository.
type Wanted struct {
	// Suite is the folder below dists/, such as "bookworm"; or, with a slash at its end, the
	// folder of a repository without dists/, such as "./".
	Suite      string
	Components []string // such as "main"; none with a slash
	// Package is the name of a package, or a shell glob as path.Match has them.
	Package string
	// Architectures are all names that the architecture has in such repositories.
	// The first is Debian's own, if it has one.
	Architectures []string
	// SHA256 is the hash of the package; "" for the newest one. Without a keyring it is needed.
	SHA256 string
}

// Found are the packages of a kernel.
type Found struct {
	Asked Package // that was looked for: the kernel, or a metapackage that leads to it
	Image Package // holds the kernel
	// Beside holds the kernel's configuration, if Image does not; nil if none is known to.
	Beside *Package
}

// NewRepository returns a repository. keyring holds the keys that may sign it, armored or not; nil
// for a repository that nobody signs.
func NewRepository(c *cache.Cache, mirror Mirror, keyring []byte, sink progress.Sink) (*Repository, error) {
	var keys openpgp.EntityList
	if keyring != nil {
		var err error
		if keys, err = openpgp.ReadArmoredKeyRing(bytes.NewReader(keyring)); err != nil {
			if keys, err = openpgp.ReadKeyRing(bytes.NewReader(keyring)); err != nil {
				return nil, fmt.Errorf("the keyring cannot be read: %w", err)
			}
		}
		if len(keys) == 0 {
			return nil, errors.New("the keyring has no key")
		}
	}
	mirror.Second, mirror.Others, mirror.Bundle = nil, nil, nil
	mirror.Remedy = "correct the repository in the matrix file"
	r := &Repository{NewClient(c, mirror, nil, sink)}
	r.client.keys = keys
	return r, nil
}

// RepositoryURL returns the URL of a repository: itself, or that of a folder.
func RepositoryURL(where string) (*url.URL, error) {
	if !strings.Contains(where, "://") {
		dir, err := filepath.Abs(where)
		if err != nil {
			return nil, fmt.Errorf("find the folder %s: %w", where, err)
		}
		return &url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}, nil
	}
	return mirrorURL(where)
}

// Fetch returns the path of a package in the cache.
func (r *Repository) Fetch(ctx context.Context, p Package) (string, error) {
	return r.client.FetchHere(ctx, p)
}

// Name returns how readers know the repository.
func (r *Repository) Name() string { return r.client.mirror.Name() }

// maxNamed is how many packages an error names.
const maxNamed = 8

// Find returns the packages of the newest kernel that is wanted. It downloads no package.
func (r *Repository) Find(ctx context.Context, w Wanted) (Found, error) {
	indexes, err := r.indexes(ctx, w)
	if err != nil {
		return Found{}, err
	}
	var best []Package
	var names []string
	for _, x := range indexes {
		all, err := x.matching(w)
		if err != nil {
			return Found{}, err
		}
		for _, p := range all {
			names = append(names, p.Name)
			if w.SHA256 != "" && p.SHA256 != w.SHA256 {
				continue
			}
			switch {
			case len(best) > 0 && best[0].newer(p):
			case len(best) > 0 && !p.newer(best[0]):
				best = append(best, p)
			default:
				best = []Package{p}
			}
		}
	}
	switch {
	case len(names) == 0:
		return Found{}, fmt.Errorf("suite %s has no package %q for %s; correct package, suite or components", w.Suite, w.Package, w.Architectures[0])
	case len(best) == 0:
		return Found{}, fmt.Errorf("no package with the SHA-256 %.12s... is like %q; there are %s: correct sha256, or package", w.SHA256, w.Package, some(names))
	}
	same := make([]string, len(best))
	for i, p := range best {
		same[i] = p.Name
	}
	if slices.Sort(same); same[0] != same[len(same)-1] {
		return Found{}, fmt.Errorf("%q is the name of several packages of version %s: %s; narrow package until it means one", w.Package, best[0].Version, some(same))
	}
	if r.client.keys == nil { // nobody vouches for a dependency
		return Found{Asked: best[0], Image: best[0]}, nil
	}
	return w.follow(indexes, best[0])
}

// some lists names, not all of many.
func some(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	text := strings.Join(names[:min(len(names), maxNamed)], ", ")
	if len(names) > maxNamed {
		text += fmt.Sprintf(" and %d more", len(names)-maxNamed)
	}
	return text
}

// matching returns the packages of an index that are wanted, without those for debuggers.
func (x *Index) matching(w Wanted) (all []Package, err error) {
	for _, load := range []func() (*shard, error){x.kernels, x.others} {
		s, err := load()
		if err != nil {
			return nil, err
		}
		for name, offsets := range s.at {
			if ok, err := path.Match(w.Package, name); err != nil || !ok && name != w.Package || strings.HasSuffix(name, "-dbg") || strings.HasSuffix(name, "-dbgsym") {
				continue
			}
			for _, at := range offsets {
				p, err := s.read(x.Suite, at)
				if err != nil {
					return nil, fmt.Errorf("package index of %s: %w", x.Suite, err)
				}
				if w.takes(p) {
					all = append(all, p)
				}
			}
		}
	}
	return all, nil
}

// takes reports whether a package is of the wanted architecture.
func (w Wanted) takes(p Package) bool {
	return p.Arch == "all" || slices.Contains(w.Architectures, p.Arch)
}

// maxFollowed bounds a chain of metapackages.
const maxFollowed = 4

// follow returns the packages of a kernel: of the package itself, or of the one that a metapackage
// leads to. Debian 14 has the kernel in linux-binary-RELEASE, and its configuration in
// linux-base-RELEASE. Ubuntu and what is made of it have the configuration in
// linux-modules-RELEASE.
func (w Wanted) follow(indexes []*Index, asked Package) (Found, error) {
	found := Found{Asked: asked, Image: asked}
	for range maxFollowed {
		groups, err := found.Image.DependsOn()
		if err != nil {
			return Found{}, err
		}
		release := kernelRelease(found.Image.Name)
		var next, binary *Package
		for _, name := range slices.Concat(groups...) {
			isNext := release == "" && next == nil && strings.HasPrefix(name, "linux-image-") && name != found.Image.Name
			isBinary := release != "" && name == "linux-binary-"+release
			isBase := name == "linux-base-"+release
			isBeside := release != "" && (isBase || name == "linux-modules-"+release)
			if !isNext && !isBinary && !isBeside {
				continue
			}
			p, ok, err := w.newestOf(indexes, name)
			switch {
			case err != nil:
				return Found{}, err
			case !ok:
			case isNext:
				next = &p
			case isBinary:
				binary = &p
			case isBase || found.Beside == nil:
				found.Beside = &p
			}
		}
		if binary != nil {
			found.Image = *binary
		}
		if next == nil {
			return found, nil
		}
		found.Image = *next
	}
	return Found{}, fmt.Errorf("package %s leads to no kernel within %d packages", asked.Name, maxFollowed)
}

// released matches the package of one kernel. A metapackage may be called linux-image-5kc-malta.
var released = regexp.MustCompile(`^linux-image-(?:unsigned-)?([0-9]+\.[0-9].*?)(?:-unsigned)?$`)

// kernelRelease returns the release in the name of a kernel's package; "" if it has none.
func kernelRelease(name string) string {
	if m := released.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// newestOf returns the newest package with a name.
func (w Wanted) newestOf(indexes []*Index, name string) (best Package, found bool, err error) {
	for _, x := range indexes {
		all, err := x.versions(name)
		if err != nil {
			return best, false, err
		}
		for _, p := range all {
			if w.takes(p) && (!found || p.newer(best)) {
				best, found = p, true
			}
		}
	}
	return best, found, nil
}

// indexes returns the lists of packages that may have a kernel.
func (r *Repository) indexes(ctx context.Context, w Wanted) (all []*Index, err error) {
	components := w.Components
	if strings.HasSuffix(w.Suite, "/") {
		components = []string{""}
	}
	if r.client.keys == nil {
		return r.unsigned(ctx, w, components)
	}
	release, err := r.client.releases.Get(ctx, "Release of "+w.Suite, func() (*Release, error) { return r.client.readRelease(ctx, w.Suite) })
	if err != nil {
		return nil, err
	}
	if release.misnamed() != nil && release.Codename+release.called != "" {
		r.client.sink(progress.Event{Stage: progress.Warning, What: fmt.Sprintf("%s of %s calls itself suite %q, codename %q", inRelease(w.Suite), r.client.mirror.Name(), release.called, release.Codename)})
	}
	for _, component := range components {
		var missing error
		there := false
		for _, arch := range w.Architectures {
			if _, _, _, err := release.packages(component, arch); err != nil {
				missing = cmp.Or(missing, err)
				continue
			}
			x, err := r.client.indexes.Get(ctx, "package index of "+w.Suite+" "+component+" "+arch, func() (*Index, error) {
				return r.client.readIndex(ctx, release, component, arch)
			})
			if err != nil {
				return nil, err
			}
			all, there = append(all, x), true
			if component == "" {
				break // the list is that of all architectures
			}
		}
		if !there {
			return nil, fmt.Errorf("component %q: %w", component, missing)
		}
	}
	return all, nil
}

// unsigned returns lists of packages that nobody vouches for. Only their sizes are bounded.
func (r *Repository) unsigned(ctx context.Context, w Wanted, components []string) (all []*Index, err error) {
	scratch, release, err := r.client.cache.Scratch()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	var gone error
	for _, component := range components {
		there := false
		for _, arch := range w.Architectures {
			x, err := r.unsignedIndex(ctx, w.Suite, component, arch, scratch)
			if errors.Is(err, ErrGone) {
				gone = err
				continue
			}
			if err != nil {
				return nil, err
			}
			all, there = append(all, x), true
			break // nobody would know that another list is of the same architecture
		}
		if !there {
			return nil, gone
		}
	}
	return all, nil
}

// unsignedIndex downloads one list of packages in the best form that is there.
func (r *Repository) unsignedIndex(ctx context.Context, suite, component, arch, scratch string) (*Index, error) {
	var gone error
	for _, f := range indexFormats {
		file := filepath.Join(scratch, "Packages"+f.suffix)
		sum, err := r.keep(ctx, dists(suite)+packagesFile(component, arch)+f.suffix, file)
		if errors.Is(err, ErrGone) {
			gone = err
			continue
		}
		if err != nil {
			return nil, err
		}
		return r.client.reduced(ctx, &Release{Suite: suite}, arch, sum, f.format, func(context.Context) (string, error) { return file, nil })
	}
	return nil, gone
}

// keep downloads a file of which nothing is known before, and returns its SHA-256.
func (r *Repository) keep(ctx context.Context, from, to string) (sum string, err error) {
	f, err := os.Create(to)
	if err != nil {
		return "", fmt.Errorf("keep %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	err = r.client.get(ctx, &download{path: from, what: path.Base(from), size: -1, limit: maxIndex, w: io.MultiWriter(f, h)})
	return hex.EncodeToString(h.Sum(nil)), err
}
