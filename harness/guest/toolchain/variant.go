package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/harness/guest/runtimevariant"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/catalog"
)

// BuildVariant compiles programs as Build does, and links them with a runtime
// variant. Their names end with a dash and the variant's.
func (g *Go) BuildVariant(ctx context.Context, rec arch.Record, variant catalog.Variant, dir string, programs []string) error {
	return g.overlay(ctx, rec, variant, dir, func(root, overlay string) error {
		local := &Go{root: g.root, version: g.version, private: root}
		bin := filepath.Join(dir, string(variant))
		if err := local.build(ctx, rec, bin, programs, "-modfile="+guestModule, "-overlay="+overlay); err != nil {
			return err
		}
		for _, p := range programs {
			if err := os.Rename(filepath.Join(bin, p), filepath.Join(dir, p+"-"+string(variant))); err != nil {
				return err
			}
		}
		return os.Remove(bin)
	})
}

// Varies returns nil if the variant can be made of the toolchain's runtime. The error is
// runtimevariant.ErrUnknown if that runtime is of a kind that is not known.
func (g *Go) Varies(ctx context.Context, rec arch.Record, variant catalog.Variant) error {
	return g.overlay(ctx, rec, variant, os.TempDir(), func(string, string) error { return nil })
}

// overlay calls use with a private copy of the toolchain and the overlay of a variant. Both
// lie in a folder below dir, which is removed afterwards.
func (g *Go) overlay(ctx context.Context, rec arch.Record, variant catalog.Variant, dir string, use func(root, overlay string) error) error {
	table, ok := abi.Lookup(rec.GOARCH)
	if !ok {
		return fmt.Errorf("poc/abi has no table for %s, which the runtime variant %s needs; add one", rec.GOARCH, variant)
	}
	own, err := workFolder(dir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	root, err := g.privateRoot(ctx, filepath.Join(own, "go"))
	if err != nil {
		return err
	}
	overlay, err := runtimevariant.Write(variant, root, table, own)
	if err != nil {
		return err
	}
	return use(root, overlay)
}

// privateRoot makes a folder of links to the toolchain's files. An overlay may not
// replace files of the module cache, where the go command keeps the toolchains that
// it downloads.
func (g *Go) privateRoot(ctx context.Context, dir string) (string, error) {
	root := g.private
	if root == "" {
		out, err := command(ctx, g.root, "go", nil, "env", "GOROOT")
		if err != nil {
			return "", fmt.Errorf("ask the Go toolchain where it is: %w", err)
		}
		root = strings.TrimSpace(out)
	}
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) || root == "" {
		return "", fmt.Errorf("the Go toolchain says that it is in %q, which is not there; a runtime variant needs its sources", root)
	}
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(root, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			return "", err
		}
	}
	return dir, nil
}
