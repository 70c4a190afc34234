// Package intake finds the kernel in whatever its owner holds: a file that a boot
// loader would load, a .deb, a .rpm, or the image of a disk. What it is given is
// hostile, is opened for reading alone, and is known by its content and never by
// its name.
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
)

// ErrNoKernel means that a disk was read and has no kernel. What its system says of
// itself was found all the same.
var ErrNoKernel = errors.New("no kernel")

// Found is a kernel and what was beside it.
type Found struct {
	File   string // the path that was given, or the repository
	Kernel []byte // as it was found, wrapped and compressed
	Config []byte // the kernel's configuration, nil when there was none
	// Chain is the way to the kernel, outermost first: "qcow2", "partition 2",
	// "xfs", "/boot/vmlinuz-5.10.0".
	Chain []string
	// Entries is what the boot loader offers, the default first; empty where
	// nothing configures one.
	Entries []string
	// Unread is what could not be read of a disk, and what was odd: a reader must
	// know that the rest is not all.
	Unread []string
	OS     OS
	Policy []PolicyLine
	SHA256 string // of the file that was given
	Size   int64  // of it, bytes
}

// Bounds of what is read, in bytes.
const (
	maxKernel = 256 << 20
	maxConfig = 4 << 20
	maxText   = 1 << 20
	maxDisk   = 128 << 30 // of a disk that is unpacked before it can be read
)

// Helper reads the file systems of a disk that nothing here can read: it puts, below
// the folder to, what a boot needs of each into a folder named by a number, and into
// the file "volumes" a line for each, the number and what it is.
type Helper func(ctx context.Context, disk, format, to string) error

// From names the file and the way to the kernel in it, for errors.
func (f Found) From() string {
	if len(f.Chain) < 2 {
		return f.File
	}
	return fmt.Sprintf("%s (%s)", f.File, strings.Join(f.Chain, ", "))
}

// Open finds the kernel in the file. A temporary copy, which a compressed disk needs,
// is made below scratch, and so is what help reads, which may be nil. Every error
// names the file. With ErrNoKernel, Found.Unread says so too.
func Open(ctx context.Context, file, scratch string, help Helper) (Found, error) {
	found, err := open(ctx, file, scratch, help)
	found.File = file
	if errors.Is(err, ErrNoKernel) {
		// Reports have the name alone: where somebody keeps a file is nobody's business.
		found.Unread = append(found.Unread, fmt.Sprintf("find a kernel in %s: %v", filepath.Base(file), err))
	}
	if err != nil {
		return found, fmt.Errorf("find a kernel in %s: %w", file, err)
	}
	return found, nil
}

// open finds the kernel in the file, which its errors do not name.
func open(ctx context.Context, file, scratch string, help Helper) (found Found, err error) {
	defer func() {
		// The parsers of file systems were written by others, for files that are
		// whole.
		if r := recover(); r != nil {
			err = fmt.Errorf("it is damaged in a way that its reader does not survive: %v", r)
		}
	}()
	f, err := os.Open(file)
	if err != nil {
		return Found{}, unnamed(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Found{}, unnamed(err)
	}
	if !info.Mode().IsRegular() {
		return Found{}, errors.New("it is no regular file; give a kernel, a .deb, a .rpm or the image of a disk")
	}
	head := make([]byte, headLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Found{}, unnamed(err)
	}
	switch identify(head[:n]) {
	case debFile:
		found, err = openDeb(ctx, f)
	case rpmFile:
		found, err = openRPM(ctx, f, info.Size())
	case diskFile:
		found, err = openDisk(ctx, f, info.Size(), scratch, help)
	default:
		found, err = openPlain(ctx, f, info.Size(), scratch, help)
	}
	if err != nil {
		return found, err
	}
	if found.SHA256, err = digest(ctx, f); err != nil {
		return Found{}, unnamed(err)
	}
	found.Size = info.Size()
	return found, nil
}

// unnamed takes the path out of an error of package os.
func unnamed(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return fmt.Errorf("%s: %w", of.Op, of.Err)
	}
	return err
}

// kind is what a file is by its first bytes.
type kind int

const (
	otherFile kind = iota // a kernel, or something compressed
	debFile
	rpmFile
	diskFile
)

// headLen is as far as identify looks: the superblock of btrfs ends there.
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
		return otherFile // a kernel with the mark of a boot sector
	case at(510, "\x55\xaa"):
		return diskFile
	}
	return otherFile
}

// digest is the SHA-256 of a file.
func digest(ctx context.Context, f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, &stoppable{ctx, io.NewSectionReader(f, 0, 1<<62)}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stoppable ends a long copy when the run does.
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

// bounded reads all of r, of which there may be limit bytes.
func bounded(r io.Reader, limit int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("it has more than the %d bytes allowed here", limit)
	}
	return b.Bytes(), err
}

// newest is the last of the kernels by the numbers in their names, "" for none.
func newest(names []string) string {
	best := ""
	for _, n := range names {
		if best == "" || before(best, n) {
			best = n
		}
	}
	return best
}

// before orders names as people do: runs of digits are numbers.
func before(a, b string) bool {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x == 0 || y == 0 {
			if a[0] != b[0] {
				return a[0] < b[0]
			}
			a, b = a[1:], b[1:]
			continue
		}
		m, n := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
		if m != n {
			return len(m) < len(n) || len(m) == len(n) && m < n
		}
		a, b = a[x:], b[y:]
	}
	return len(a) < len(b)
}

// digits is how many of the first bytes are.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
