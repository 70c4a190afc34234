package bundle

import (
	"archive/zip"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/google/renameio/v2"
)

// File is one file of the mirror.
type File struct {
	Name string // below the mirror's URL
	Path string // a local file with the content; "" when Data is the content
	Data []byte
}

// Write writes the bundle to, made of the program at from and of files. An archive
// that from has already is left out. Equal input gives equal bytes.
func Write(ctx context.Context, to, from string, files []File) error {
	program, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("read the program: %w", err)
	}
	defer program.Close()
	size, err := programSize(program)
	if err != nil {
		return err
	}
	out, err := renameio.NewPendingFile(to, renameio.WithPermissions(0o755))
	if err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	defer out.Cleanup()
	if _, err := io.Copy(out, io.LimitReader(program, size)); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	w := zip.NewWriter(out)
	w.SetOffset(size)
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	files = slices.CompactFunc(files, func(a, b File) bool { return a.Name == b.Name })
	for _, f := range files {
		if err := errors.Join(ctx.Err(), add(w, f)); err != nil {
			return fmt.Errorf("write %s into the bundle: %w", f.Name, err)
		}
	}
	if err := errors.Join(w.Close(), out.CloseAtomicallyReplace()); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}

func add(w *zip.Writer, f File) error {
	// Stored, because packages are compressed already.
	to, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
	if err != nil {
		return err
	}
	if f.Path == "" {
		_, err := to.Write(f.Data)
		return err
	}
	from, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

// programSize returns the size of the program without the archive behind it, in
// bytes. It takes any file, and fails on one that is no ELF program.
func programSize(file io.ReaderAt) (int64, error) {
	f, err := elf.NewFile(file)
	if err != nil {
		return 0, fmt.Errorf("the program cannot be read as an ELF file: %w", err)
	}
	defer f.Close()
	// Linkers other than Go's write the table of sections behind the sections.
	var head elf.Header64
	if err := binary.Read(io.NewSectionReader(file, 0, 64), f.ByteOrder, &head); err != nil {
		return 0, fmt.Errorf("the program's header cannot be read: %w", err)
	}
	end := head.Shoff + uint64(head.Shnum)*uint64(head.Shentsize)
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS {
			end = max(end, s.Offset+s.FileSize)
		}
	}
	for _, p := range f.Progs {
		end = max(end, p.Off+p.Filesz)
	}
	return int64(end), nil
}

// Open returns the mirror behind the program at path, nil when there is none. The
// file of a mirror stays open until the process ends.
func Open(path string) (fs.FS, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read this program: %w", err)
	}
	mirror, err := open(f)
	if mirror == nil {
		err = errors.Join(err, f.Close())
	}
	return mirror, err
}

func open(f *os.File) (fs.FS, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read this program: %w", err)
	}
	end, err := programSize(f)
	if err != nil {
		return nil, err
	}
	if info.Size() == end {
		return nil, nil
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("the archive behind the program %s cannot be read: it is damaged or cut off: %w; copy the bundle again", f.Name(), err)
	}
	return archive, nil
}

// Own returns the mirror behind the program of this process, nil when there is none.
var Own = sync.OnceValues(func() (fs.FS, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return Open(path)
})
