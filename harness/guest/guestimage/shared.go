package guestimage

import (
	"context"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/harness/source/compiler"
)

// shared returns the libraries that the programs in bin load, and the folder that
// holds them. It is the loader's folder; the loader is one of the files.
func shared(ctx context.Context, tools compiler.Tools, bin string) ([]cpio.Record, error) {
	entries, err := os.ReadDir(bin)
	if err != nil {
		return nil, err
	}
	loaders, names := map[string]bool{}, map[string]bool{}
	for _, e := range entries {
		loader, needed, err := loads(filepath.Join(bin, e.Name()))
		if err != nil {
			return nil, err
		}
		if loader == "" {
			continue
		}
		loaders[loader] = true
		for _, name := range needed {
			names[name] = true
		}
	}
	var records []cpio.Record
	if len(loaders) > 1 {
		return nil, fmt.Errorf("the guest's programs name more than one loader: %v", slices.Sorted(maps.Keys(loaders)))
	}
	for loader := range loaders {
		folder := strings.TrimPrefix(path.Dir(loader), "/")
		records = append(records, cpio.Directory(folder, 0o755))
		names[path.Base(loader)] = true
		for _, name := range slices.Sorted(maps.Keys(names)) {
			file, err := tools.Library(ctx, name)
			if err != nil {
				return nil, err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read a library of the guest's programs: %w", err)
			}
			records = append(records, cpio.StaticFile(path.Join(folder, name), string(text), 0o755))
		}
	}
	return records, nil
}

// loads returns the loader and the libraries that a program names. The loader is ""
// for a static program.
func loads(file string) (loader string, needed []string, err error) {
	f, err := elf.Open(file)
	if err != nil {
		return "", nil, fmt.Errorf("read the guest program %s: %w", filepath.Base(file), err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text, err := io.ReadAll(p.Open())
			if err != nil {
				return "", nil, fmt.Errorf("read the guest program %s: %w", filepath.Base(file), err)
			}
			loader = strings.TrimRight(string(text), "\x00")
		}
	}
	if loader == "" {
		return "", nil, nil
	}
	needed, err = f.ImportedLibraries()
	if err != nil {
		return "", nil, fmt.Errorf("read the guest program %s: %w", filepath.Base(file), err)
	}
	return loader, needed, nil
}
