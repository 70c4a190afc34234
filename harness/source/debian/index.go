package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"pault.ag/go/debian/control"
	"pault.ag/go/debian/dependency"

	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// Index is the Packages file of one suite and architecture. It is safe for
// concurrent use.
type Index struct {
	Suite string
	Arch  string
	// Release is the signed file that contains the hash of the index.
	Release *Release

	// Every cell needs kernels; only the toolbox needs the rest, which is twenty
	// times as large. It is read when it is first needed.
	kernels, others func() (*shard, error)
}

// Reduced indexes are in the cache under this kind. The number must change with the
// form.
const (
	indexKind    = "packages"
	indexVersion = "1"
)

// Bounds of a Packages file. Debian's largest has 60 MB, its largest
// paragraph less than 100 kB.
const (
	maxIndex     = 512 << 20
	maxParagraph = 1 << 20
)

// indexFormats are the compressions of a Packages file, best first.
var indexFormats = []struct {
	suffix string
	format decompress.Format
}{{".xz", decompress.XZ}, {".gz", decompress.Gzip}, {"", decompress.None}}

// Index returns the packages of a suite's component main. arch is Debian's name of
// the architecture.
func (c *Client) Index(ctx context.Context, suite, arch string) (*Index, error) {
	if !ValidArch(arch) {
		return nil, fmt.Errorf("%q is not Debian's name of an architecture", arch)
	}
	return c.indexes.Get(ctx, "package index of "+suite+" "+arch, func() (*Index, error) {
		r, err := c.Release(ctx, suite)
		if err != nil {
			return nil, err
		}
		return c.readIndex(ctx, r, debianComponent, arch)
	})
}

// debianComponent is the one component of Debian's archive that is used.
const debianComponent = "main"

// packages returns the file that lists the packages of a component and an architecture.
func (r *Release) packages(component, arch string) (name string, file listed, format decompress.Format, err error) {
	for _, f := range indexFormats {
		name := packagesFile(component, arch) + f.suffix
		if file, ok := r.files[name]; ok {
			if file.size > maxIndex {
				return "", listed{}, "", fmt.Errorf("package index %s of %s: its signed size, %d bytes, is more than the %d allowed here", name, r.Suite, file.size, maxIndex)
			}
			return name, file, f.format, nil
		}
	}
	return "", listed{}, "", fmt.Errorf("suite %s has no packages for architecture %q; it has them for: %s",
		r.Suite, arch, strings.Join(r.Architectures, ", "))
}

// packagesFile returns the path of the list of packages in the folder of a suite. A repository
// without components has one list for all architectures.
func packagesFile(component, arch string) string {
	if component == "" {
		return "Packages"
	}
	return component + "/binary-" + arch + "/Packages"
}

func (c *Client) readIndex(ctx context.Context, r *Release, component, arch string) (*Index, error) {
	name, file, format, err := r.packages(component, arch)
	if err != nil {
		return nil, err
	}
	return c.reduced(ctx, r, arch, file.sha256, format, func(ctx context.Context) (string, error) { return c.listed(ctx, r, arch, name, file) })
}

// reduced returns the index in a file, whose SHA-256 is sum.
func (c *Client) reduced(ctx context.Context, r *Release, arch, sum string, format decompress.Format, file func(context.Context) (string, error)) (*Index, error) {
	dir, err := c.cache.Dir(ctx, indexKind, sum+"-"+indexVersion, func(ctx context.Context, dir string) error {
		blob, err := file(ctx)
		if err != nil {
			return err
		}
		what := r.Suite + " " + arch + " package index"
		c.sink(progress.Event{Stage: progress.Resolve, What: what})
		err = reduceFile(ctx, blob, format, dir)
		if err != nil {
			err = fmt.Errorf("read the %s: %w", what, err)
		}
		c.sink(progress.Event{Stage: progress.Resolve, What: what, End: true, Err: err})
		return err
	})
	if err != nil {
		return nil, err
	}
	return openIndex(r, arch, dir), nil
}

// listed returns the path of the index in the cache.
func (c *Client) listed(ctx context.Context, r *Release, arch, name string, file listed) (string, error) {
	what := r.Suite + " " + arch + " package index"
	blob, err := c.blob(ctx, nil, r.at(name, file), what, file.sha256, file.size)
	if err != nil && r.byHash && ctx.Err() == nil {
		// Some mirrors lack files by hash although their InRelease promises them.
		blob, err = c.blob(ctx, nil, dists(r.Suite)+name, what, file.sha256, file.size)
	}
	return blob, err
}

// Signed is what a mirror needs so that Index finds a suite's packages there: the
// signed InRelease, the index that it lists, and the paths of both below the
// mirror's URL.
type Signed struct {
	InRelease     []byte
	InReleasePath string
	Index         string // file in the cache, not to be written to
	IndexPath     string
}

// Signed returns the signed files of a suite and architecture.
func (c *Client) Signed(ctx context.Context, suite, arch string) (Signed, error) {
	r, err := c.Release(ctx, suite)
	if err != nil {
		return Signed{}, err
	}
	name, file, _, err := r.packages(debianComponent, arch)
	if err != nil {
		return Signed{}, err
	}
	blob, err := c.listed(ctx, r, arch, name, file)
	if err != nil {
		return Signed{}, err
	}
	return Signed{r.raw, inRelease(suite), blob, r.at(name, file)}, nil
}

func openIndex(r *Release, arch, dir string) *Index {
	load := func(name string) func() (*shard, error) {
		return sync.OnceValues(func() (*shard, error) { return loadShard(filepath.Join(dir, name)) })
	}
	return &Index{Suite: r.Suite, Arch: arch, Release: r, kernels: load(kernelsFile), others: load(othersFile)}
}

// NotListedError says that a suite lists no package of a name.
type NotListedError struct{ Suite, Arch, Name string }

func (e *NotListedError) Error() string {
	return fmt.Sprintf("suite %s has no package %q for %s", e.Suite, e.Name, e.Arch)
}

// Find returns the package with that name. If the suite lists several versions, it
// returns the highest.
func (x *Index) Find(name string) (Package, error) {
	all, err := x.versions(name)
	if err != nil {
		return Package{}, err
	}
	if len(all) == 0 {
		return Package{}, &NotListedError{x.Suite, x.Arch, name}
	}
	best := all[0]
	for _, p := range all[1:] {
		if p.newer(best) {
			best = p
		}
	}
	return best, nil
}

// Names returns the sorted names of the packages that begin with prefix.
func (x *Index) Names(prefix string) ([]string, error) {
	var found []string
	for _, load := range []func() (*shard, error){x.kernels, x.others} {
		s, err := load()
		if err != nil {
			return nil, err
		}
		for name := range s.at {
			if strings.HasPrefix(name, prefix) {
				found = append(found, name)
			}
		}
		if isKernel(prefix) {
			break
		}
	}
	slices.Sort(found)
	return found, nil
}

func (x *Index) versions(name string) ([]Package, error) {
	load := x.others
	if isKernel(name) {
		load = x.kernels
	}
	s, err := load()
	if err != nil {
		return nil, err
	}
	var all []Package
	for _, at := range s.at[name] {
		p, err := s.read(x.Suite, at)
		if err != nil {
			return nil, fmt.Errorf("package index of %s %s: %w", x.Suite, x.Arch, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// shard is a reduced Packages file in memory, with the positions of its paragraphs.
type shard struct {
	text []byte
	at   map[string][]int // package name -> offsets of its paragraphs
}

func loadShard(path string) (*shard, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read package index: %w", err)
	}
	s := &shard{text: text, at: make(map[string][]int)}
	for at := 0; at < len(text); {
		end := bytes.Index(text[at:], []byte("\n\n"))
		if end < 0 {
			break
		}
		line, _, _ := bytes.Cut(text[at:at+end], []byte("\n"))
		name := strings.TrimPrefix(string(line), nameField)
		s.at[name] = append(s.at[name], at)
		at += end + 2
	}
	return s, nil
}

func (s *shard) read(suite string, at int) (Package, error) {
	para, _, _ := bytes.Cut(s.text[at:], []byte("\n\n"))
	r, err := control.NewParagraphReader(bytes.NewReader(para), nil)
	if err != nil {
		return Package{}, err
	}
	p, err := r.Next()
	if err != nil {
		return Package{}, err
	}
	return newPackage(suite, p)
}

// providers returns the packages that provide each virtual package.
func (x *Index) providers() (map[string][]string, error) {
	by := make(map[string][]string)
	for _, load := range []func() (*shard, error){x.kernels, x.others} {
		s, err := load()
		if err != nil {
			return nil, err
		}
		for name, offsets := range s.at {
			for _, at := range offsets {
				para, _, _ := bytes.Cut(s.text[at:], []byte("\n\n"))
				_, after, ok := bytes.Cut(para, []byte("\nProvides: "))
				if !ok {
					continue
				}
				field, _, _ := bytes.Cut(after, []byte("\n"))
				d, err := dependency.Parse(string(field))
				if err != nil {
					return nil, fmt.Errorf("package %s: its Provides field %.80q: %w", name, field, err)
				}
				for _, v := range slices.Concat(names(d)...) {
					by[v] = append(by[v], name)
				}
			}
		}
	}
	for v := range by {
		slices.Sort(by[v])
		by[v] = slices.Compact(by[v])
	}
	return by, nil
}
