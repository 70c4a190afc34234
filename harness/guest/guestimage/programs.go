package guestimage

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/poc/stage0"
)

// maxProgram bounds a program of a guest image, in bytes. Programs take some MiB
// each.
const maxProgram = 64 << 20

// ProgramDisk returns the path of a read-only ext4 file system with the programs of
// the image. Their names are those of Programs.
func (b *Builder) ProgramDisk(ctx context.Context, image Image) (string, error) {
	dir, err := b.cache.Dir(ctx, "programs", image.Key, func(_ context.Context, dir string) error {
		programs, err := image.Programs()
		if err != nil {
			return err
		}
		records := []cpio.Record{cpio.Directory("probes", 0o755)}
		for _, name := range slices.Sorted(maps.Keys(programs)) {
			records = append(records, cpio.StaticFile(name, string(programs[name]), 0o755))
		}
		return writeDisk(filepath.Join(dir, disk), records)
	})
	return filepath.Join(dir, disk), err
}

// Programs returns the programs of the image by name. The agent is "init", a probe
// "probes/" and its name, and stage 0, if there is one, "stage0".
func (i Image) Programs() (map[string][]byte, error) {
	f, err := os.Open(i.Path)
	if err != nil {
		return nil, fmt.Errorf("read the guest image: %w", err)
	}
	defer f.Close()
	programs := map[string][]byte{}
	err = cpio.ForEachRecord(cpio.Newc.Reader(f), func(r cpio.Record) error {
		if r.Mode&cpio.S_IFMT != cpio.S_IFREG {
			return nil
		}
		if r.FileSize > maxProgram {
			return fmt.Errorf("%s has %d bytes", r.Name, r.FileSize)
		}
		b, err := io.ReadAll(io.NewSectionReader(r.ReaderAt, 0, int64(r.FileSize)))
		programs[r.Name] = b
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the guest image: %w", err)
	}
	if i.Bare {
		programs["stage0"] = programs["init"]
		delete(programs, "init")
	}
	// In the image stage 0 is "init", which is PID 1. The agent has the name that
	// stage 0 executes.
	name := strings.TrimPrefix(stage0.Agent, "/")
	if b, ok := programs[name]; ok {
		programs["stage0"], programs["init"] = programs["init"], b
		delete(programs, name)
	}
	return programs, nil
}
