package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Dir returns a directory built from key. The caller must hash into key everything
// that decides the content. When build itself changes its output, kind or key must
// change. If the directory is missing or damaged, build fills an empty dir with
// files, directories and symbolic links; modification times are not kept. Callers
// must not write to the result.
func (c *Cache) Dir(ctx context.Context, kind, key string, build func(ctx context.Context, dir string) error) (string, error) {
	if !entryName.MatchString(kind) || !entryName.MatchString(key) || reserved(kind) {
		return "", fmt.Errorf("cache directory %q/%q: kind and key must be plain file names, and the kind none of blob, work, lock", kind, key)
	}
	entry := kind + "-" + key
	unlock, err := c.lock(ctx, entry)
	if err != nil {
		return "", err
	}
	defer unlock()

	final := c.path(kind, key)
	if treeWhole(final) {
		noteUse(manifestOf(final))
		return treeOf(final), nil
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("build %s: %w", entry, context.Cause(ctx))
	}
	work := c.path("work", entry)
	defer removeTree(work)
	if err := c.buildTree(ctx, work, entry, build); err != nil {
		return "", err
	}
	// Rename cannot replace a directory that has entries. A program that runs from
	// the damaged directory keeps its open files.
	if err := removeTree(final); err != nil {
		return "", c.explain("remove damaged "+entry, err)
	}
	if err := os.MkdirAll(c.path(kind), 0o755); err != nil {
		return "", c.explain("store "+entry, err)
	}
	if err := os.Rename(work, final); err != nil {
		return "", c.explain("store "+entry, err)
	}
	return treeOf(final), nil
}

// Forget makes the next Dir of this kind and key build again. It is for a directory
// that is undamaged and turned out to be useless. Paths returned before stay valid
// until that Dir.
func (c *Cache) Forget(ctx context.Context, kind, key string) error {
	entry := kind + "-" + key
	unlock, err := c.lock(ctx, entry)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(manifestOf(c.path(kind, key))); err != nil && !errors.Is(err, os.ErrNotExist) {
		return c.explain("forget "+entry, err)
	}
	return nil
}

func reserved(kind string) bool { return kind == "blob" || kind == "work" || kind == "lock" }

func (c *Cache) buildTree(ctx context.Context, work, entry string, build func(context.Context, string) error) error {
	if err := removeTree(work); err != nil {
		return c.explain("clear the place for "+entry, err)
	}
	tree := treeOf(work)
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return c.explain("build "+entry, err)
	}
	if err := build(ctx, tree); err != nil {
		var onDisk *os.PathError
		if errors.As(err, &onDisk) {
			return c.explain("build "+entry, err)
		}
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("build %s: %w", entry, context.Cause(ctx))
	}
	if err := writeManifest(work); err != nil {
		return c.explain("list the files of "+entry, err)
	}
	return nil
}
