// Package diskreader reads disks that no library here reads, btrfs, LVM and what else
// Linux knows: in a guest with Debian's kernel and tools, which has the disk
// read-only and nothing besides. What a hostile disk does to that kernel ends there.
package diskreader

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// Guest is what the helper guest is made of.
type Guest struct {
	// Cell is of this host's architecture: its kernel is the guest's.
	Cell    matrix.Cell
	Kernels *kernel.Resolver
	Client  *debian.Client
	Toolbox *toolbox.Toolbox
	Cache   *cache.Cache
	Sink    progress.Sink
}

const (
	memory = 1024 // MiB: the initramfs has some 200
	// maxOut bounds what the guest writes, in bytes: a few kernels and small files.
	maxOut = 1 << 30
	// slow is how much longer the guest may take than another needs to boot.
	slow = 4
)

//go:embed init.sh
var initScript []byte

// Read mounts every file system of the disk and puts, below the folder to, what a
// boot needs of each into a folder named by a number; the file "volumes" there has a
// line for each, the number and what it is. format is the disk's for QEMU.
func (g *Guest) Read(ctx context.Context, disk, format, to string) (err error) {
	shown := progress.Event{Stage: progress.Boot, What: "a helper guest that reads " + filepath.Base(disk)}
	g.Sink(shown)
	defer func() {
		shown.End, shown.Err = true, err
		g.Sink(shown)
	}()
	out := filepath.Join(to, "out.tar")
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(out)
	if err := os.Truncate(out, maxOut); err != nil {
		return err
	}
	if err := g.boot(ctx, initScript, readDrives(disk, format, out)...); err != nil {
		return err
	}
	f, err := os.Open(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := debian.UnpackTar(ctx, f, to, func(string) bool { return true }); err != nil {
		return fmt.Errorf("read what the helper guest wrote: %w", err)
	}
	return nil
}

// boot runs a script as PID 1 of a guest with some disks. It must say at the end that
// all is done.
func (g *Guest) boot(ctx context.Context, script []byte, drives ...qemu.Drive) error {
	rec, err := arch.Lookup(runtime.GOARCH)
	if err != nil {
		return err
	}
	machine, err := rec.Machine(g.Cell.Machine)
	if err != nil {
		return err
	}
	emulator, err := g.Toolbox.Find(ctx, rec)
	if err != nil {
		return err
	}
	image, err := g.Kernels.Image(ctx, g.Cell)
	if err != nil {
		return err
	}
	initrd, err := g.initramfs(ctx, script)
	if err != nil {
		return err
	}
	cfg := qemu.Config{Prefix: emulator.Argv, Arch: rec, Machine: machine, Accel: qemu.TCG, CPUs: 1, Memory: memory, Kernel: image.Path, Initrd: initrd}
	if qemu.TryKVM(ctx, cfg) == "" {
		cfg.Accel = qemu.KVM
	}
	cfg.Drives = drives // not while KVM is tried
	argv, err := cfg.Argv()
	if err != nil {
		return err
	}
	said, err := run(ctx, argv, qemu.TimeoutsFor(cfg.Accel, rec.Slowness))
	if err != nil {
		return err
	}
	if !bytes.Contains(said, []byte("helper: all is done")) {
		return fmt.Errorf("the helper guest did not end well; its last words: %q", said[max(0, len(said)-300):])
	}
	return nil
}

// readDrives are the disks of Read's guest.
func readDrives(disk, format, out string) []qemu.Drive {
	return []qemu.Drive{{Serial: "image", Path: disk, Format: format}, {Serial: "out", Path: out, Format: "raw", Writable: true}}
}

// run runs the guest to its end and returns the last of what it said.
func run(ctx context.Context, argv []string, t qemu.Timeouts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Boot*slow)
	defer cancel()
	said := &ending{}
	m, err := qemu.Start(ctx, argv, said, t)
	if err != nil {
		return nil, err
	}
	select {
	case <-m.Exited():
	case <-time.After(t.Boot*slow + t.Monitor): // ctx kills it before
	}
	if err := m.Stop(); err != nil {
		return nil, err
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("the helper guest did not end within %v", t.Boot*slow)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case m.Err() != nil:
		return nil, fmt.Errorf("the helper guest's QEMU failed: %w", m.Err())
	}
	return said.b, nil
}

// ending keeps the last of what is written.
type ending struct{ b []byte }

// kept bounds it, in bytes.
const kept = 64 << 10

func (e *ending) Write(p []byte) (int, error) {
	e.b = append(e.b, p...)
	if over := len(e.b) - kept; over > 0 {
		e.b = append(e.b[:0], e.b[over:]...)
	}
	return len(p), nil
}

// tools are the packages that the guest's script needs; kmod loads the libraries of
// compressed modules only where they are.
var tools = []string{"busybox-static", "dmsetup", "kmod", "liblzma5", "libzstd1", "lvm2"}

// programs are the files of them that it runs, beside libraries.
var programs = map[string]bool{
	"usr/bin/busybox": true, "usr/bin/kmod": true, "usr/sbin/modprobe": true, "usr/sbin/depmod": true,
	"usr/sbin/lvm": true, "usr/sbin/dmsetup": true,
}

// modules are the folders of the kernel's modules that file systems and disks are in.
var modules = []string{"arch/", "block/", "crypto/", "drivers/block/", "drivers/md/", "drivers/nvdimm/", "drivers/dax/", "drivers/virtio/",
	"fs/btrfs/", "fs/ext4/", "fs/f2fs/", "fs/fat/", "fs/jbd2/", "fs/jfs/", "fs/mbcache", "fs/nls/", "fs/xfs/", "lib/"}

// layout is the version of what is taken of the packages.
const layout = "1"

// initramfs returns the path of the guest's.
func (g *Guest) initramfs(ctx context.Context, script []byte) (string, error) {
	pin, err := g.Kernels.Resolve(ctx, g.Cell)
	if err != nil {
		return "", err
	}
	userland, err := g.Toolbox.Programs(ctx, tools, func(name string) bool { return programs[name] })
	if err != nil {
		return "", fmt.Errorf("get the tools of the helper guest: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %x\n", layout, filepath.Base(filepath.Dir(userland)), pin.Release, sha256.Sum256(script))
	for _, p := range pin.Packages() {
		fmt.Fprintln(h, p.SHA256)
	}
	dir, err := g.Cache.Dir(ctx, "helper", hex.EncodeToString(h.Sum(nil)), func(ctx context.Context, dir string) error {
		tree := filepath.Join(dir, "tree")
		if err := os.Mkdir(tree, 0o755); err != nil {
			return err
		}
		if err := g.modules(ctx, pin, tree); err != nil {
			return err
		}
		if err := pack(filepath.Join(dir, initrdFile), script, userland, tree); err != nil {
			return err
		}
		return os.RemoveAll(tree)
	})
	return filepath.Join(dir, initrdFile), err
}

const initrdFile = "initramfs.cpio"

// modules unpacks those of the kernel that the guest loads. Where the package of the
// kernel has none, they are in one of their own (since Debian 14).
func (g *Guest) modules(ctx context.Context, pin kernel.Pin, tree string) error {
	packages := pin.Packages()
	if x, err := g.Client.Index(ctx, pin.Suite, pin.Arch); err == nil {
		if p, err := x.Find("linux-modules-" + pin.Release); err == nil {
			packages = append(packages, p)
		}
	}
	found := false
	for _, p := range packages {
		file, err := g.Client.Fetch(ctx, p)
		if err != nil {
			return err
		}
		err = debian.Unpack(ctx, file, tree, func(name string) bool {
			name = strings.TrimPrefix(name, "usr/")
			below, ok := strings.CutPrefix(name, "lib/modules/"+pin.Release+"/")
			if !ok {
				return false
			}
			if !strings.Contains(below, "/") {
				return strings.HasPrefix(below, "modules.") // what depmod reads
			}
			below, _ = strings.CutPrefix(below, "kernel/")
			for _, m := range modules {
				if strings.HasPrefix(below, m) {
					found = true
					return true
				}
			}
			return false
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("the package of kernel %s has no modules", pin.Release)
	}
	return nil
}

// pack writes an initramfs of some trees, with the script as its first program.
func pack(path string, script []byte, trees ...string) error {
	records := []cpio.Record{
		cpio.Directory("dev", 0o755), cpio.CharDev("dev/console", 0o600, 5, 1), cpio.Directory("usr", 0o755),
		cpio.Symlink("bin", "usr/bin"), cpio.Symlink("sbin", "usr/sbin"), cpio.Symlink("lib", "usr/lib"), cpio.Symlink("lib64", "usr/lib64"),
		cpio.StaticFile("init", string(script), 0o755),
	}
	made := map[string]bool{"usr": true}
	for _, tree := range trees {
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
				name = "usr/" + name // what older packages have in /lib
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
		if err != nil {
			return err
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := cpio.Newc.Writer(f)
	cpio.MakeAllReproducible(records)
	if err := cpio.WriteRecords(w, records); err != nil {
		return fmt.Errorf("write the helper's initramfs: %w", err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return fmt.Errorf("write the helper's initramfs: %w", err)
	}
	return f.Close()
}
