package intake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Helper reads the file systems of a disk that no library here can read. It copies
// the files that a boot needs from each into a folder below to, named by a number.
// The file "volumes" there has a line for each: the number and the kind.
type Helper func(ctx context.Context, disk, format, to string) error

// maxVolumes bounds the number of volumes that a helper may report.
const maxVolumes = 256

// helped finds the kernel in the files that a helper copied from the disk.
func helped(ctx context.Context, disk string, foreign foreignDisk, scratch string, help Helper) (Found, error) {
	path, err := filepath.Abs(disk)
	if err != nil {
		return Found{}, err
	}
	dir, err := os.MkdirTemp(scratch, "volumes-")
	if err != nil {
		return Found{}, fmt.Errorf("make a folder for what a helper reads: %w", err)
	}
	if err := help(ctx, path, foreign.Format, dir); err != nil {
		return Found{}, fmt.Errorf("read it by a helper guest: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Found{}, err
	}
	defer root.Close()
	list, err := volume{FS: root.FS()}.read("volumes", maxText)
	if err == nil && len(list) == 0 {
		return Found{}, errors.New("a helper guest found no file system on it that Linux mounts; it is encrypted, damaged, or of a kind that nobody here knows")
	}
	if err != nil {
		return Found{}, fmt.Errorf("read what a helper guest found: %w", err)
	}
	var volumes []volume
	for line := range strings.Lines(string(list)) {
		number, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(number); err != nil || n < 0 || n >= maxVolumes {
			return Found{}, fmt.Errorf("a helper guest names a volume %.20q, which is no number below %d", number, maxVolumes)
		}
		below, err := root.OpenRoot(number)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has none of the wanted files
		}
		if err != nil {
			return Found{}, fmt.Errorf("read what a helper guest found: %w", err)
		}
		defer below.Close()
		volumes = append(volumes, volume{FS: below.FS(), chain: append(foreign.Chain[:len(foreign.Chain):len(foreign.Chain)], "helper guest", what)})
	}
	return search(volumes)
}

// foreignError reports a file system that Linux can read, and no library here can.
type foreignError struct{ kind string }

func (e *foreignError) Error() string {
	return fmt.Sprintf("it is %s, which nothing here reads; copy the kernel out of it, with guestfish --ro or a loop mount, and give that file", e.kind)
}

// foreignDisk is a disk that a helper reads better than the libraries here.
type foreignDisk struct {
	Format   string   // as QEMU names it
	Chain    []string // the path to the disk
	Unpacked bool     // it was compressed
}
