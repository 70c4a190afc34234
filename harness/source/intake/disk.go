package intake

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/diskfs/go-diskfs/partition"
	"github.com/lima-vm/go-qcow2reader"
	"github.com/lima-vm/go-qcow2reader/image/qcow2"
	"github.com/masahiro331/go-ext4-filesystem/ext4"
	ext4log "github.com/masahiro331/go-ext4-filesystem/log"
	xfslog "github.com/masahiro331/go-xfs-filesystem/log"
	"github.com/masahiro331/go-xfs-filesystem/xfs"
	"go.uber.org/zap"
)

// volume is one file system of a disk.
type volume struct {
	fs.FS
	chain []string // the path to it, as Found.Chain
}

// maxPartitions bounds a table: a GPT has 128.
const maxPartitions = 128

// openDisk finds the kernel on a disk. The file is read and never written.
func openDisk(ctx context.Context, f *os.File, size int64, scratch string, help Helper) (Found, error) {
	// These libraries log to the terminal.
	ext4log.SetLogger(zap.NewNop().Sugar())
	xfslog.SetLogger(zap.NewNop().Sugar())
	var chain []string
	var disk io.ReaderAt = f
	format := "raw"
	head := make([]byte, 4)
	if _, err := f.ReadAt(head, 0); err != nil {
		return Found{}, fmt.Errorf("read the disk: %w", err)
	}
	if string(head) == "QFI\xfb" {
		if err := checkQcow2(f, size); err != nil {
			return Found{}, err
		}
		image, err := qcow2reader.OpenWithType(f, qcow2.Type)
		if err != nil {
			return Found{}, fmt.Errorf("its qcow2 header cannot be read: %w", err)
		}
		// Its Close would close f.
		if err := image.Readable(); err != nil {
			return Found{}, fmt.Errorf("its qcow2 image cannot be read (encrypted, or with another file behind it): %w; convert it with qemu-img convert -O raw", err)
		}
		disk, size, chain, format = image, image.Size(), []string{"qcow2"}, "qcow2"
	}
	volumes, refused, err := volumesOf(disk, size, chain)
	var foreign *foreignError
	if err != nil && !errors.As(err, &foreign) {
		return Found{}, err
	}
	var found Found
	if err == nil {
		found, err = search(volumes)
		if errors.As(errors.Join(refused...), &foreign) || err != nil && len(refused) == 0 {
			foreign = cmp.Or(foreign, &foreignError{})
		}
	}
	if foreign != nil && help != nil {
		return helped(ctx, f.Name(), format, chain, scratch, help)
	}
	why := errors.Join(refused...)
	if err != nil && why != nil {
		return found, fmt.Errorf("%w; what else is on it cannot be read here: %s", err, strings.ReplaceAll(why.Error(), "\n", "; "))
	}
	for _, r := range refused {
		found.Unread = append(found.Unread, r.Error())
	}
	return found, err
}

// foreignError reports a file system that Linux can read, and no library here can.
type foreignError struct{ kind string }

func (e *foreignError) Error() string {
	return fmt.Sprintf("it is %s, which nothing here reads; copy the kernel out of it, with guestfish --ro or a loop mount, and give that file", e.kind)
}

// maxVolumes bounds the number of volumes that a helper may report.
const maxVolumes = 256

// helped finds the kernel in the files that a helper copied from the disk.
func helped(ctx context.Context, disk, format string, chain []string, scratch string, help Helper) (Found, error) {
	path, err := filepath.Abs(disk)
	if err != nil {
		return Found{}, err
	}
	dir, err := os.MkdirTemp(scratch, "volumes-")
	if err != nil {
		return Found{}, fmt.Errorf("make a folder for what a helper reads: %w", err)
	}
	if err := help(ctx, path, format, dir); err != nil {
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
		volumes = append(volumes, volume{FS: below.FS(), chain: append(chain[:len(chain):len(chain)], "helper guest", what)})
	}
	return search(volumes)
}

// Disk is a disk's image in the form that QEMU attaches.
type Disk struct {
	Format string // raw or qcow2
	SHA256 string
	Size   int64 // bytes of the file
}

// AsDisk identifies a disk's image. The disk need not hold a kernel.
func AsDisk(ctx context.Context, file string) (Disk, error) {
	f, err := os.Open(file)
	if err != nil {
		return Disk{}, fmt.Errorf("open the disk's image: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Disk{}, err
	}
	head := make([]byte, headLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Disk{}, fmt.Errorf("read its first bytes: %w", err)
	}
	d := Disk{Format: "raw", Size: info.Size()}
	switch {
	case !info.Mode().IsRegular() || identify(head[:n]) != diskFile:
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

// checkQcow2 checks the header before the qcow2 library reads it: the library trusts
// it (docs/interop/qcow2.txt of QEMU).
func checkQcow2(f io.ReaderAt, size int64) error {
	h := make([]byte, 72)
	if _, err := f.ReadAt(h, 0); err != nil {
		return fmt.Errorf("its qcow2 header cannot be read: %w", err)
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(h[at:]) }
	u64 := func(at int) uint64 { return binary.BigEndian.Uint64(h[at:]) }
	switch bits := u32(20); {
	case u64(8) != 0:
		return errors.New("its qcow2 image is a layer above another file; flatten it with qemu-img convert -O qcow2")
	case u32(32) != 0:
		return errors.New("its qcow2 image is encrypted; convert it with qemu-img convert, which can be given the key")
	case bits < 9 || bits > 21 || u64(24) > maxDisk || int64(u32(36))*8 > size:
		return errors.New("its qcow2 header says sizes that the file cannot have; it is damaged")
	}
	return nil
}

// volumesOf finds the file systems of a disk. refused says which parts cannot be
// read, and why.
func volumesOf(disk io.ReaderAt, size int64, chain []string) (volumes []volume, refused []error, err error) {
	whole := io.NewSectionReader(disk, 0, size)
	head := make([]byte, headLen)
	n, err := whole.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read the disk: %w", err)
	}
	if kind := fileSystem(head[:n]); kind != "" {
		v, err := mount(whole, kind, chain)
		if err != nil {
			return nil, nil, err
		}
		return []volume{v}, nil, nil
	}
	table, err := partition.Read(device{whole}, 512, 512)
	if err != nil {
		return nil, nil, fmt.Errorf("it has neither a partition table nor a file system known here: %w", err)
	}
	for i, p := range table.GetPartitions() {
		if i == maxPartitions {
			return nil, nil, fmt.Errorf("its table has more than %d partitions", maxPartitions)
		}
		start, length := p.GetStart(), p.GetSize()
		if length <= 0 {
			continue // an unused entry
		}
		if start < 0 || start > size || length > size-start {
			refused = append(refused, fmt.Errorf("partition %d lies beyond the end of the disk, which is truncated or damaged", p.GetIndex()))
			continue
		}
		part := io.NewSectionReader(disk, start, length)
		n, err := part.ReadAt(head, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, fmt.Errorf("read partition %d: %w", p.GetIndex(), err)
		}
		kind := fileSystem(head[:n])
		if kind == "" {
			continue // swap, firmware, or nothing
		}
		v, err := mount(part, kind, append(chain[:len(chain):len(chain)], fmt.Sprintf("partition %d", p.GetIndex())))
		if err != nil {
			refused = append(refused, fmt.Errorf("partition %d: %w", p.GetIndex(), err))
			continue
		}
		volumes = append(volumes, v)
	}
	return volumes, refused, nil
}

// fileSystem returns the file system that a superblock names, or "".
func fileSystem(head []byte) string {
	at := func(offset int, magic string) bool {
		return offset+len(magic) <= len(head) && string(head[offset:offset+len(magic)]) == magic
	}
	switch {
	case at(0x438, "\x53\xef"):
		return "ext4"
	case at(0, "XFSB"):
		return "xfs"
	case at(0x10040, "_BHRfS_M"):
		return "btrfs"
	case at(0, "LUKS\xba\xbe"):
		return "LUKS"
	case at(512, "LABELONE"), at(0, "LABELONE"):
		return "LVM"
	}
	return ""
}

func mount(part *io.SectionReader, kind string, chain []string) (volume, error) {
	v := volume{chain: append(chain[:len(chain):len(chain)], kind)}
	var err error
	switch kind {
	case "ext4":
		v.FS, err = ext4.NewFS(*part, nil)
	case "xfs":
		v.FS, err = xfs.NewFS(*part, nil)
	case "LUKS":
		return v, errors.New("it is encrypted (LUKS), and nothing here asks for a key; decrypt it with cryptsetup and give the plain image")
	default:
		return v, &foreignError{kind}
	}
	if err != nil {
		return v, fmt.Errorf("its %s cannot be read: %w", kind, err)
	}
	return v, nil
}

// device is the disk in the form of a file, which the reader of partition tables
// needs.
type device struct{ *io.SectionReader }

func (d device) Close() error               { return nil }
func (d device) Stat() (fs.FileInfo, error) { return deviceInfo{d.Size()}, nil }

type deviceInfo struct{ size int64 }

func (i deviceInfo) Name() string       { return "disk" }
func (i deviceInfo) Size() int64        { return i.size }
func (i deviceInfo) Mode() fs.FileMode  { return 0o444 }
func (i deviceInfo) ModTime() time.Time { return time.Time{} }
func (i deviceInfo) IsDir() bool        { return false }
func (i deviceInfo) Sys() any           { return nil }

// read returns the content of a file. name is the path below the root of the volume.
// Symbolic links are followed within the volume.
func (v volume) read(name string, limit int64) ([]byte, error) {
	for range maxLinks {
		name = strings.TrimPrefix(path.Clean("/"+name), "/")
		links, ok := v.FS.(interface{ ReadLink(string) (string, error) })
		if ok {
			if to, err := links.ReadLink(name); err == nil && to != "" {
				if !path.IsAbs(to) {
					to = path.Join(path.Dir(name), to)
				}
				name = to
				continue
			}
		}
		f, err := v.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return bounded(f, limit)
	}
	return nil, fmt.Errorf("%s: too many symbolic links", name)
}

// maxLinks bounds a chain of symbolic links, as in Linux.
const maxLinks = 40

// list returns the names in a folder, or nil if there is none.
func (v volume) list(name string) []string {
	entries, err := fs.ReadDir(v.FS, name)
	if err != nil {
		return nil
	}
	var names []string
	for i, e := range entries {
		if i == maxEntries {
			break
		}
		if n := e.Name(); n != "." && n != ".." {
			names = append(names, n)
		}
	}
	return names
}

// maxEntries bounds how many names of a folder are listed.
const maxEntries = 10_000

// search finds the kernel that the disk boots, and reads the settings of its system.
func search(volumes []volume) (Found, error) {
	var found Found
	var unread []string
	for _, v := range volumes {
		if found.OS.ID == "" {
			found.OS, found.Policy = v.system()
		}
	}
	for _, v := range volumes {
		// A separate /boot has the same files at its root.
		for _, boot := range []string{"boot", "."} {
			kernel, entries, odd := v.kernelIn(boot)
			if kernel == "" {
				continue
			}
			b, err := v.read(kernel, maxKernel)
			if err != nil {
				// It may be a link to another volume: /vmlinuz is one where /boot has
				// its own volume.
				unread = append(unread, fmt.Sprintf("/%s: %v", kernel, err))
				continue
			}
			found.Kernel, found.Entries = b, entries
			if odd != "" {
				found.Unread = append(found.Unread, odd)
			}
			found.Chain = append(v.chain, "/"+kernel)
			if _, release, ok := strings.Cut(path.Base(kernel), "-"); ok {
				if c, err := v.read(path.Join(boot, "config-"+release), maxConfig); err == nil {
					found.Config = c
				}
			}
			return found, nil
		}
	}
	if len(volumes) == 0 {
		return found, fmt.Errorf("%w: the disk has no ext4 or xfs file system", ErrNoKernel)
	}
	if len(unread) > 0 {
		return found, fmt.Errorf("%w can be read: %s", ErrNoKernel, strings.Join(unread, "; "))
	}
	return found, fmt.Errorf("%w is in /boot or at the root of a file system of the disk (vmlinuz*, vmlinux* or Image*)", ErrNoKernel)
}
