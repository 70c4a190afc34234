package intake

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Disk is a disk's image in the form that QEMU attaches.
type Disk struct {
	Format string // raw or qcow2
	SHA256 string
	Size   int64 // bytes of the file
}

// AsDisk identifies a disk's image. The disk need not hold a kernel.
func AsDisk(ctx context.Context, file string) (Disk, error) {
	f, size, err := openRegular(file)
	if err != nil {
		return Disk{}, fmt.Errorf("open the disk's image %s: %w", file, err)
	}
	defer f.Close()
	head := make([]byte, headLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Disk{}, fmt.Errorf("read its first bytes: %w", err)
	}
	d := Disk{Format: "raw", Size: size}
	switch {
	case identify(head[:n]) != diskFile:
		return Disk{}, fmt.Errorf("%s is no image of a disk, raw or qcow2; one that is compressed must be unpacked before it can boot", file)
	case string(head[:4]) == "QFI\xfb":
		d.Format = "qcow2"
		if err := checkQcow2(f, d.Size); err != nil {
			return Disk{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	d.SHA256, err = digest(ctx, f)
	return d, err
}

// The header of version 3 has at least this length, in bytes. One of version 2 ends at
// 72, and a cluster of at least 512 bytes follows.
const qcow2Header = 104

// Incompatible features of a qcow2 image. A reader that does not know one must not open
// the image.
const (
	qcow2Dirty       = 1 << 0 // counts of references may be wrong, and reading needs none
	qcow2DataFile    = 1 << 2
	qcow2Compression = 1 << 3 // clusters may be compressed with zstd
	qcow2Known       = qcow2Dirty | qcow2Compression
)

// checkQcow2 checks the header before the qcow2 library reads it: the library trusts
// it (docs/interop/qcow2.txt of QEMU).
func checkQcow2(f io.ReaderAt, size int64) error {
	h := make([]byte, qcow2Header)
	if _, err := f.ReadAt(h, 0); err != nil {
		return fmt.Errorf("its qcow2 header cannot be read: %w", err)
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(h[at:]) }
	u64 := func(at int) uint64 { return binary.BigEndian.Uint64(h[at:]) }
	switch bits, version := u32(20), u32(4); {
	case version != 2 && version != 3:
		return fmt.Errorf("its qcow2 image is of version %d, and 2 and 3 are known", version)
	case u64(8) != 0:
		return errors.New("its qcow2 image is a layer above another file; flatten it with qemu-img convert -O qcow2")
	case version == 3 && u64(72)&qcow2DataFile != 0:
		return errors.New("its qcow2 image keeps its data in another file, which QEMU would open wherever it is; convert it with qemu-img convert -O qcow2")
	case version == 3 && u64(72)&^qcow2Known != 0:
		return fmt.Errorf("its qcow2 image needs features that are unknown here (incompatible features %#x); convert it with qemu-img convert -O qcow2", u64(72))
	case u32(32) != 0:
		return errors.New("its qcow2 image is encrypted; convert it with qemu-img convert, which can be given the key")
	case bits < 9 || bits > 21 || u64(24) > maxDisk || int64(u32(36))*8 > size:
		return errors.New("its qcow2 header says sizes that the file cannot have; it is damaged")
	}
	return nil
}
