package diskreader

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// tools are the packages that the guest's script needs. kmod opens the two libraries
// only when it loads compressed modules, so no package depends on them.
var tools = []string{"busybox-static", "dmsetup", "kmod", "liblzma5", "libzstd1", "lvm2"}

// programs are the files of these packages that the script runs. Libraries are
// always unpacked.
var programs = map[string]bool{
	"usr/bin/busybox": true, "usr/bin/kmod": true, "usr/sbin/modprobe": true, "usr/sbin/depmod": true,
	"usr/sbin/lvm": true, "usr/sbin/dmsetup": true,
}

// moduleDirs are the folders of kernel modules that file systems and disks need.
var moduleDirs = []string{"arch/", "block/", "crypto/", "drivers/block/", "drivers/md/", "drivers/nvdimm/", "drivers/dax/", "drivers/virtio/",
	"fs/btrfs/", "fs/ext4/", "fs/f2fs/", "fs/fat/", "fs/jbd2/", "fs/jfs/", "fs/mbcache", "fs/nls/", "fs/xfs/", "lib/"}

// layout is the version of the initramfs. It must change with the lists above.
const layout = "1"

const initrdFile = "initramfs.cpio"

// initramfs returns the path of an initramfs that runs the script, from the cache if
// it was made before.
func (r *Reader) initramfs(ctx context.Context, script []byte) (string, error) {
	pin, err := r.Kernels.Resolve(ctx, r.Cell)
	if err != nil {
		return "", err
	}
	userland, err := r.Toolbox.Programs(ctx, tools, func(name string) bool { return programs[name] })
	if err != nil {
		return "", fmt.Errorf("get the tools of the disk reader: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %x\n", layout, filepath.Base(filepath.Dir(userland)), pin.Release, sha256.Sum256(script))
	for _, p := range pin.Packages() {
		fmt.Fprintln(h, p.SHA256)
	}
	dir, err := r.Cache.Dir(ctx, "disk-reader", hex.EncodeToString(h.Sum(nil)), func(ctx context.Context, dir string) error {
		tree := filepath.Join(dir, "tree")
		if err := os.Mkdir(tree, 0o755); err != nil {
			return err
		}
		if err := r.modules(ctx, pin, tree); err != nil {
			return err
		}
		if err := pack(filepath.Join(dir, initrdFile), script, userland, tree); err != nil {
			return err
		}
		return os.RemoveAll(tree)
	})
	return filepath.Join(dir, initrdFile), err
}

// modules unpacks the modules that the guest loads. Since Debian 14 they are not in
// the kernel's package but in one of their own.
func (r *Reader) modules(ctx context.Context, pin kernel.Pin, tree string) error {
	packages := pin.Packages()
	if x, err := r.Client.Index(ctx, pin.Suite, pin.Arch); err == nil {
		if p, err := x.Find("linux-modules-" + pin.Release); err == nil {
			packages = append(packages, p)
		}
	}
	found := false
	for _, p := range packages {
		file, err := r.Client.Fetch(ctx, p)
		if err != nil {
			return err
		}
		err = debian.Unpack(ctx, file, tree, func(name string) bool {
			module, index := moduleFile(name, pin.Release)
			found = found || module
			return module || index
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("find the disk reader's kernel modules: the packages of kernel %s have none", pin.Release)
	}
	return nil
}

// moduleFile reports whether a package's file is a module that the guest needs, or an
// index that depmod reads.
func moduleFile(name, release string) (module, index bool) {
	below, ok := strings.CutPrefix(strings.TrimPrefix(name, "usr/"), "lib/modules/"+release+"/")
	if !ok {
		return false, false
	}
	if !strings.Contains(below, "/") {
		return false, strings.HasPrefix(below, "modules.")
	}
	below = strings.TrimPrefix(below, "kernel/")
	for _, dir := range moduleDirs {
		if strings.HasPrefix(below, dir) {
			return true, false
		}
	}
	return false, false
}

// pack writes an initramfs with the files of some trees. The script is its /init.
func pack(path string, script []byte, trees ...string) error {
	records := []cpio.Record{
		cpio.Directory("dev", 0o755), cpio.CharDev("dev/console", 0o600, 5, 1), cpio.Directory("usr", 0o755),
		cpio.Symlink("bin", "usr/bin"), cpio.Symlink("sbin", "usr/sbin"), cpio.Symlink("lib", "usr/lib"), cpio.Symlink("lib64", "usr/lib64"),
		cpio.StaticFile("init", string(script), 0o755),
	}
	made := map[string]bool{"usr": true}
	for _, tree := range trees {
		more, err := treeRecords(tree, made)
		if err != nil {
			return err
		}
		records = append(records, more...)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := cpio.Newc.Writer(f)
	cpio.MakeAllReproducible(records)
	if err := cpio.WriteRecords(w, records); err != nil {
		return fmt.Errorf("write the disk reader's initramfs: %w", err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return fmt.Errorf("write the disk reader's initramfs: %w", err)
	}
	return f.Close()
}

// treeRecords returns what an archive has of a tree, all of it below usr. made are
// the folders that the archive has already; new ones are added.
func treeRecords(tree string, made map[string]bool) ([]cpio.Record, error) {
	var records []cpio.Record
	err := filepath.WalkDir(tree, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == tree {
			return err
		}
		rel, err := filepath.Rel(tree, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !strings.HasPrefix(name, "usr") {
			name = "usr/" + name // older packages have files in /lib
		}
		switch {
		case made[name] && d.IsDir():
			return nil
		case d.IsDir():
			records, made[name] = append(records, cpio.Directory(name, 0o755)), true
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			records = append(records, cpio.Symlink(name, to))
		default:
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			records = append(records, cpio.StaticFile(name, string(b), 0o755))
		}
		return nil
	})
	return records, err
}
