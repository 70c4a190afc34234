package intake

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/lima-vm/go-qcow2reader"
	"github.com/lima-vm/go-qcow2reader/image/qcow2"
	ext4log "github.com/masahiro331/go-ext4-filesystem/log"
	xfslog "github.com/masahiro331/go-xfs-filesystem/log"
	"go.uber.org/zap"
)

// openDisk finds the kernel on a disk. The file is read and never written. If a helper can
// read more of the disk, needs is not nil.
func openDisk(f *os.File, size int64) (found Found, needs *foreignDisk, err error) {
	// These libraries log to the terminal.
	ext4log.SetLogger(zap.NewNop().Sugar())
	xfslog.SetLogger(zap.NewNop().Sugar())
	var chain []string
	var disk io.ReaderAt = f
	format := "raw"
	head := make([]byte, 4)
	if _, err := f.ReadAt(head, 0); err != nil {
		return Found{}, nil, fmt.Errorf("read the disk: %w", err)
	}
	if string(head) == "QFI\xfb" {
		if err := checkQcow2(f, size); err != nil {
			return Found{}, nil, err
		}
		image, err := qcow2reader.OpenWithType(f, qcow2.Type)
		if err != nil {
			return Found{}, nil, fmt.Errorf("its qcow2 header cannot be read: %w", err)
		}
		// Its Close would close f.
		if err := image.Readable(); err != nil {
			return Found{}, nil, fmt.Errorf("its qcow2 image cannot be read (encrypted, or with another file behind it): %w; convert it with qemu-img convert -O raw", err)
		}
		disk, size, chain, format = image, image.Size(), []string{"qcow2"}, "qcow2"
	}
	volumes, refused, err := volumesOf(disk, size, chain)
	var foreign *foreignError
	if err != nil && !errors.As(err, &foreign) {
		return Found{}, nil, err
	}
	if err == nil {
		found, err = search(volumes)
		if errors.As(errors.Join(refused...), &foreign) || err != nil && len(refused) == 0 {
			foreign = cmp.Or(foreign, &foreignError{})
		}
	}
	if foreign != nil {
		needs = &foreignDisk{Format: format, Chain: chain}
	}
	why := errors.Join(refused...)
	if err != nil && why != nil {
		return found, needs, fmt.Errorf("%w; what else is on it cannot be read here: %s", err, strings.ReplaceAll(why.Error(), "\n", "; "))
	}
	for _, r := range refused {
		found.Unread = append(found.Unread, r.Error())
	}
	return found, needs, err
}

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
