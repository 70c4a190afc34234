package toolbox

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// firmwareDirs are the folders with firmware, for QEMU's option -L.
var firmwareDirs = []string{"usr/share/qemu", "usr/share/seabios", "usr/share/slof"}

// linkTree adds the files of an unpacked package to dir as hard links. The package
// stays in the cache for other architectures, and its files take space once.
func linkTree(tree, dir string) error {
	return filepath.WalkDir(tree, func(from string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(tree, from)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, merged(filepath.ToSlash(rel)))
		switch {
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(from)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		}
		if err := os.Link(from, to); err != nil {
			if errors.Is(err, fs.ErrExist) {
				return err
			}
			// The file system may have no hard links.
			return copyFile(from, to)
		}
		return nil
	})
}

// merged returns the place of a file on a system where /lib is a link into /usr. That
// is so in Debian since bookworm, but packages may still name /lib.
func merged(rel string) string {
	if strings.HasPrefix(rel, "lib") {
		return "usr/" + rel
	}
	return rel
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, st.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}

// commandLine returns the words that start the tree's QEMU. The binary names a loader
// outside of the tree, so the tree's loader is started instead, and is told to take
// libraries from the tree alone.
func commandLine(dir string, rec arch.Record) ([]string, error) {
	exe := filepath.Join(dir, binDir, binary(rec))
	interp, err := interpreter(exe)
	if err != nil {
		return nil, err
	}
	loader, err := resolveIn(dir, merged(strings.TrimPrefix(interp, "/")))
	if err != nil {
		return nil, fmt.Errorf("find the loader %s of %s in the toolbox: %w", interp, binary(rec), err)
	}
	argv := []string{
		filepath.Join(dir, loader), "--inhibit-cache",
		"--library-path", filepath.Join(dir, path.Dir(loader)),
		"--argv0", binary(rec), exe,
	}
	for _, d := range firmwareDirs {
		if _, err := os.Stat(filepath.Join(dir, d)); err == nil {
			argv = append(argv, "-L", filepath.Join(dir, d))
		}
	}
	return argv, nil
}

// interpreter returns the path of the loader that an executable names.
func interpreter(exe string) (string, error) {
	f, err := elf.Open(exe)
	if err != nil {
		return "", fmt.Errorf("read QEMU in the toolbox: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		// PATH_MAX, as in the kernel (fs/binfmt_elf.c).
		data, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err != nil {
			return "", fmt.Errorf("read the loader's name in %s: %w", filepath.Base(exe), err)
		}
		return strings.TrimRight(string(data), "\x00"), nil
	}
	return "", fmt.Errorf("%s names no loader: it is not a dynamically linked program", filepath.Base(exe))
}

// resolveIn follows the symbolic links of name as if dir were the root folder. An
// absolute link must not lead to this machine's own loader.
func resolveIn(dir, name string) (string, error) {
	const most = 8 // Debian's loader is behind one link
	for range most {
		name = path.Clean("/" + name)[1:]
		target, err := os.Readlink(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if err != nil {
			return name, nil // not a link
		}
		if path.IsAbs(target) {
			name = merged(target[1:])
		} else {
			name = path.Join("/", path.Dir(name), target)[1:]
		}
	}
	return "", fmt.Errorf("%s is behind more than %d links", name, most)
}
