package toolbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
)

// suite has QEMU 10.0 for every architecture of the cells.
const suite = "trixie"

// leftOut are dependencies that QEMU does not need for a guest without display and
// network.
var leftOut = []string{
	"qemu-system-common", // modules for display, sound and USB, which need a third of all libraries
	"qemu-system-riscv",  // qemu-system-misc depends on it, since it had these files once
	"qemu-system-s390x",  // likewise
	"debconf",            // needed only to install packages
}

// Kinds in the cache. The number must change when other files of a package are kept.
const (
	filesKind   = "package-files-1"
	toolboxKind = "toolbox-1"
)

// atOnce is how many packages are downloaded at the same time. They are small, so
// most of the time goes into waiting for the mirror.
const atOnce = 8

func (t *Toolbox) fromPackages(ctx context.Context, rec arch.Record) (QEMU, error) {
	packages, err := t.resolve(ctx, rec, t.client.Index)
	if errors.Is(err, debian.ErrUnreachable) {
		packages, err = t.earlier(ctx, rec, t.client.Kept, err)
	}
	if err != nil {
		return QEMU{}, err
	}
	q, err := t.unpacked(ctx, rec, packages)
	if !errors.Is(err, debian.ErrGone) {
		return q, err
	}
	// The mirror's index names packages that the mirror does not have, yet or any more.
	if packages, err = t.earlier(ctx, rec, t.client.Previous, err); err != nil {
		return QEMU{}, err
	}
	return t.unpacked(ctx, rec, packages)
}

// unpacked returns the QEMU of some packages.
func (t *Toolbox) unpacked(ctx context.Context, rec arch.Record, packages []debian.Package) (QEMU, error) {
	root := slices.IndexFunc(packages, func(p debian.Package) bool { return p.Name == rec.Package })
	if root < 0 {
		return QEMU{}, fmt.Errorf("suite %s lists no package %s", suite, rec.Package)
	}
	build := buildOf(rec, packages)
	dir, err := t.cache.Dir(ctx, toolboxKind, build, func(ctx context.Context, dir string) error {
		return t.assemble(ctx, rec, packages, dir)
	})
	if err != nil {
		return QEMU{}, err
	}
	argv, err := commandLine(dir, rec)
	if err != nil {
		return QEMU{}, err
	}
	version, err := askVersion(ctx, argv)
	if err != nil {
		return QEMU{}, err
	}
	source := "toolbox: " + packages[root].Name + " " + packages[root].Version
	return QEMU{Argv: argv, Version: version, Source: source, Build: build}, nil
}

// indexer returns the packages of a suite and architecture, at some time.
type indexer func(ctx context.Context, suite, arch string) (*debian.Index, error)

// resolve lists the packages of the architecture's QEMU for this machine.
func (t *Toolbox) resolve(ctx context.Context, rec arch.Record, index indexer) ([]debian.Package, error) {
	host, err := arch.Lookup(t.host)
	if err != nil {
		return nil, fmt.Errorf("this machine: %w", err)
	}
	x, err := index(ctx, suite, host.Debian)
	if err != nil {
		return nil, err
	}
	return debian.Closure(x, []string{rec.Package}, leftOut...)
}

// earlier lists the packages of an earlier index, with a warning. If there is none, it
// returns the error that made the present one useless.
func (t *Toolbox) earlier(ctx context.Context, rec arch.Record, index indexer, useless error) ([]debian.Package, error) {
	packages, err := t.resolve(ctx, rec, index)
	if ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w; an earlier index cannot be used either: %v", useless, err)
	}
	t.sink(progress.Event{Stage: progress.Warning, What: fmt.Sprintf("QEMU for %s is the one of an earlier index: %v", rec.GOARCH, useless)})
	return packages, nil
}

// buildOf returns a hash that identifies the binary and all its libraries.
func buildOf(rec arch.Record, packages []debian.Package) string {
	h := sha256.New()
	fmt.Fprintln(h, rec.QEMU)
	for _, p := range packages {
		fmt.Fprintln(h, p.Name, p.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// assemble downloads the packages and joins their files in dir.
func (t *Toolbox) assemble(ctx context.Context, rec arch.Record, packages []debian.Package, dir string) (err error) {
	what := "QEMU for " + rec.GOARCH
	t.sink(progress.Event{Stage: progress.Unpack, What: what})
	defer func() { t.sink(progress.Event{Stage: progress.Unpack, What: what, End: true, Err: err}) }()
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	trees := make([]string, len(packages))
	for i, p := range packages {
		group.Go(func() error {
			file, err := t.client.Fetch(inner, p)
			if err != nil {
				return err
			}
			if p.Name == rec.Package {
				// This package may hold binaries of several architectures. Only one is
				// kept, so the tree cannot be shared and is not cached by itself.
				return debian.Unpack(inner, file, dir, func(name string) bool {
					return wanted(name) && (path.Dir(name) != binDir || path.Base(name) == binary(rec))
				})
			}
			trees[i], err = t.cache.Dir(inner, filesKind, p.SHA256, func(ctx context.Context, dir string) error {
				return debian.Unpack(ctx, file, dir, wanted)
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, tree := range trees {
		if tree == "" {
			continue
		}
		if err := linkTree(tree, dir); err != nil {
			return fmt.Errorf("join package %s into the toolbox: %w", packages[i].Name, err)
		}
	}
	return nil
}

const binDir = "usr/bin"

func binary(rec arch.Record) string { return "qemu-system-" + rec.QEMU }

// wanted reports whether QEMU needs a file of a package.
func wanted(name string) bool {
	if strings.HasPrefix(path.Base(name), "qemu-system-") && path.Dir(name) == binDir {
		return true
	}
	for _, dir := range firmwareDirs {
		if strings.HasPrefix(name, dir+"/") {
			return !strings.HasPrefix(name, "usr/share/qemu/keymaps/")
		}
	}
	// usr/share/qemu has links to this firmware of the package opensbi.
	if strings.HasPrefix(name, "usr/lib/") && strings.Contains(name, "/opensbi/") {
		return true
	}
	return isLibrary(name)
}

// isLibrary reports whether a file is a shared library, such as lib*/x.so or
// lib*/<triplet>/x.so.1. Plug-ins are in folders below, and nothing here loads them.
func isLibrary(name string) bool {
	name = strings.TrimPrefix(name, "usr/")
	if !strings.HasPrefix(name, "lib") || strings.Count(name, "/") > 2 {
		return false
	}
	base := path.Base(name)
	return strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.")
}
