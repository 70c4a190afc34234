package guestimage

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/Microsoft/hcsshim/ext4/tar2ext4"
	"github.com/u-root/u-root/pkg/cpio"
	"golang.org/x/sys/unix"
)

// writeDisk writes the files of an initramfs as a read-only ext4 file system. The
// same files give the same bytes.
func writeDisk(path string, records []cpio.Record) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	linked := map[uint64]string{} // name of the file that an inode is, if it has several
	for _, r := range records {
		if err := writeTar(w, r, linked[r.Ino]); err != nil {
			return fmt.Errorf("write %s of the root disk: %w", r.Name, err)
		}
		if r.NLink > 1 && linked[r.Ino] == "" {
			linked[r.Ino] = r.Name
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write the root disk: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the root disk: %w", err)
	}
	defer f.Close()
	if err := tar2ext4.ConvertTarToExt4(&archive, f); err != nil {
		return fmt.Errorf("write the root disk: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the root disk: %w", err)
	}
	return nil
}

// writeTar writes a file. It is a hard link to the file that is named first, unless
// that is empty.
func writeTar(w *tar.Writer, r cpio.Record, first string) error {
	h := tar.Header{Name: r.Name, Mode: int64(r.Mode & 0o7777), Format: tar.FormatPAX}
	switch kind := r.Mode & unix.S_IFMT; {
	case first != "":
		h.Typeflag, h.Linkname = tar.TypeLink, first
	case kind == unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix(r.Name, "/")+"/"
	case kind == unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, int64(r.FileSize)
	case kind == unix.S_IFCHR:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(r.Rmajor), int64(r.Rminor)
	case kind == unix.S_IFLNK:
		target, err := io.ReadAll(io.NewSectionReader(r.ReaderAt, 0, int64(r.FileSize)))
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, string(target)
	default:
		return fmt.Errorf("mode %o is of no kind that the guest image has", r.Mode)
	}
	if err := w.WriteHeader(&h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := io.Copy(w, io.NewSectionReader(r.ReaderAt, 0, h.Size))
	return err
}
