package intake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/diskfs/go-diskfs/partition"
	"github.com/masahiro331/go-ext4-filesystem/ext4"
	"github.com/masahiro331/go-xfs-filesystem/xfs"
)

// volume is one file system of a disk.
type volume struct {
	fs.FS
	chain []string // the path to it, as Found.Chain
}

// maxPartitions bounds a table: a GPT has 128.
const maxPartitions = 128

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
