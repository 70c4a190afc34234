// Package intake finds the kernel in a file that somebody has: a kernel as a boot
// loader loads it, a .deb, a .rpm, or the image of a disk. The file may be hostile.
// It is only read, and is identified by its content, never by its name.
package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/harness/source/quarantine"
)

// ErrNoKernel means that a disk was read and holds no kernel. The settings of its
// system are returned with it.
var ErrNoKernel = errors.New("no kernel")

// Found is a kernel and the files beside it.
type Found struct {
	File   string // the path that was given, or the repository
	Kernel []byte // as it was found, wrapped and compressed
	Config []byte // the kernel's configuration, nil when there was none
	// Chain is the path to the kernel through the containers, outermost first:
	// "qcow2", "partition 2", "xfs", "/boot/vmlinuz-5.10.0".
	Chain []string
	// Entries are the menu entries of the boot loader, the default first. It is empty
	// if none are configured.
	Entries []string
	// Unread says which parts of a disk could not be read, and what is odd about it:
	// a reader must know that the result is not complete.
	Unread []string
	// Package and Version are those of the package that holds the kernel, if an index lists it.
	Package, Version string
	OS               OS
	Policy           []PolicyLine
	SHA256           string // of the file that was given
	Size             int64  // of that file, in bytes
}

// Bounds of what is read, in bytes.
const (
	maxKernel = 256 << 20
	maxConfig = 4 << 20
	maxText   = 1 << 20
	maxDisk   = 128 << 30 // of a disk that is unpacked before it can be read
)

// From returns the file and the path to the kernel inside it, for errors.
func (f Found) From() string {
	if len(f.Chain) < 2 {
		return f.File
	}
	return fmt.Sprintf("%s (%s)", f.File, strings.Join(f.Chain, ", "))
}

// Opener opens files that somebody has.
type Opener struct {
	// Quarantine is where the bytes of the files are read.
	Quarantine quarantine.Program
	// Help reads disks that no library here can read. It may be nil.
	Help Helper
}

// Open finds the kernel in the file. Temporary copies of disks, and the output of
// help, are made below scratch. Every error names the file. With ErrNoKernel,
// Found.Unread has the error too.
func (o Opener) Open(ctx context.Context, file, scratch string) (Found, error) {
	found, err := o.open(ctx, file, scratch)
	found.File = file
	if errors.Is(err, ErrNoKernel) {
		// A report gets the name only: the folders of a machine do not belong there.
		found.Unread = append(found.Unread, fmt.Sprintf("find a kernel in %s: %v", filepath.Base(file), err))
	}
	if err != nil {
		return found, fmt.Errorf("find a kernel in %s: %w", file, err)
	}
	return found, nil
}

// open finds the kernel in the file. Its errors do not name the file.
func (o Opener) open(ctx context.Context, file, scratch string) (found Found, err error) {
	f, size, err := openRegular(file)
	if err != nil {
		return Found{}, err
	}
	defer f.Close()
	plain, err := os.CreateTemp(scratch, "disk-*")
	if err != nil {
		return Found{}, fmt.Errorf("make a file to unpack to: %w", err)
	}
	defer os.Remove(plain.Name())
	defer plain.Close()
	found, foreign, err := o.read(ctx, f, plain)
	if foreign != nil && o.Help != nil {
		disk := file
		if foreign.Unpacked {
			disk = plain.Name()
		}
		found, err = helped(ctx, disk, *foreign, scratch, o.Help)
	}
	if err != nil {
		return found, err
	}
	if found.SHA256, err = digest(ctx, f); err != nil {
		return Found{}, unnamed(err)
	}
	found.Size = size
	return found, nil
}

// openRegular opens a regular file. It waits for nothing, such as the writer of a pipe.
func openRegular(file string) (*os.File, int64, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, unnamed(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file; give a kernel, a .deb, a .rpm or the image of a disk")
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, unnamed(err)
	}
	return f, info.Size(), nil
}

// unnamed removes the path from an error of package os.
func unnamed(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return fmt.Errorf("%s: %w", of.Op, of.Err)
	}
	return err
}

// kind is the kind of a file by its first bytes.
type kind int

const (
	otherFile kind = iota // a kernel, or something compressed
	debFile
	rpmFile
	diskFile
)

// headLen is how many bytes identify needs: the superblock of btrfs ends there.
const headLen = 68 << 10

func identify(head []byte) kind {
	at := func(offset int, magic string) bool {
		return offset+len(magic) <= len(head) && string(head[offset:offset+len(magic)]) == magic
	}
	switch {
	case at(0, "!<arch>\n"):
		return debFile
	case at(0, "\xed\xab\xee\xdb"):
		return rpmFile
	case at(0, "QFI\xfb"), at(512, "EFI PART"), fileSystem(head) != "":
		return diskFile
	case at(0, "MZ"), at(514, "HdrS"):
		return otherFile // a kernel; it may end its first sector as a boot sector does
	case at(510, "\x55\xaa"):
		return diskFile
	}
	return otherFile
}

// digest returns the SHA-256 of a file.
func digest(ctx context.Context, f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, &stoppable{ctx, io.NewSectionReader(f, 0, 1<<62)}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stoppable ends a long copy when the context ends.
type stoppable struct {
	ctx context.Context
	io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.Reader.Read(p)
}

// bounded reads all of r. More than limit bytes are an error.
func bounded(r io.Reader, limit int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("it has more than the %d bytes allowed here", limit)
	}
	return b.Bytes(), err
}
