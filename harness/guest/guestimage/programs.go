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

// files returns a record for each program, sorted by name. Programs with the same
// bytes are one file with several names.
//
// The names are hard links, because /proc/PID/exe gives the name of a hard link and
// the target of a symbolic one. Probes find the programs beside them by it
// (os.Executable), and a target that is left finds the agent by it.
func files(programs map[string][]byte) []cpio.Record {
	var records []cpio.Record
	holder := map[string]int{} // index of the record that has the bytes
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		text := programs[name]
		at, known := holder[string(text)]
		if !known {
			holder[string(text)] = len(records)
			r := cpio.StaticFile(name, string(text), 0o755)
			r.Ino = uint64(len(records) + 1)
			records = append(records, r)
			continue
		}
		// The kernel takes the records of an inode with several links for names of one
		// file. Only the first of them may have bytes (maybe_link in init/initramfs.c).
		r := cpio.StaticFile(name, "", 0o755)
		r.Ino, r.NLink = records[at].Ino, several
		records[at].NLink = several
		records = append(records, r)
	}
	return records
}

// several is the number of links that records of a file with several names have. Only
// more than one matters.
const several = 2

// ProgramDisk returns the path of a read-only ext4 file system with the programs of
// the image. Their names are those of Programs.
func (b *Builder) ProgramDisk(ctx context.Context, image Image) (string, error) {
	dir, err := b.cache.Dir(ctx, "programs", image.Key, func(_ context.Context, dir string) error {
		programs, err := image.Programs()
		if err != nil {
			return err
		}
		records := append([]cpio.Record{cpio.Directory("probes", 0o755)}, files(programs)...)
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
	programs, linked := map[string][]byte{}, map[uint64][]byte{}
	err = cpio.ForEachRecord(cpio.Newc.Reader(f), func(r cpio.Record) error {
		if r.Mode&cpio.S_IFMT != cpio.S_IFREG {
			return nil
		}
		if b, known := linked[r.Ino]; known && r.NLink > 1 {
			programs[r.Name] = b
			return nil
		}
		if r.FileSize > maxProgram {
			return fmt.Errorf("%s has %d bytes", r.Name, r.FileSize)
		}
		b, err := io.ReadAll(io.NewSectionReader(r.ReaderAt, 0, int64(r.FileSize)))
		programs[r.Name], linked[r.Ino] = b, b
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
