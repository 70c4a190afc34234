//go:build boot

package diskreader

import (
	"bytes"
	"crypto/sha256"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// reader returns a disk reader with the kernel of Debian 13.
func reader(t *testing.T) *Reader {
	t.Helper()
	fixtures := os.DirFS("../../../fixtures")
	keyrings, err := fs.Sub(fixtures, "keyrings")
	if err != nil {
		t.Fatal(err)
	}
	all, err := matrix.Load(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Select(all, matrix.Selection{Arch: runtime.GOARCH, Kernel: "6.12"})
	if err != nil {
		t.Fatal(err)
	}
	mirror, err := debian.FindMirror(t.Context(), debian.ThisHost())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	client := debian.NewClient(c, mirror, keyrings, progress.Discard)
	return &Reader{Cell: cells[0], Client: client, Cache: c, Sink: progress.Discard,
		Toolbox: toolbox.New(client, c, progress.Discard),
		Kernels: kernel.NewResolver(kernel.FromDebian(client), c, kernel.Lock{}, false, progress.Discard)}
}

// makeLVM makes a volume group on the disk "target". Its one logical volume is a copy
// of the disk "source".
const makeLVM = `#!/usr/bin/busybox sh
export PATH=/usr/sbin:/usr/bin
b() { /usr/bin/busybox "$@"; }
b mkdir -p /proc /sys /dev /run /tmp /etc/lvm
b mount -t proc proc /proc && b mount -t sysfs sys /sys && b mount -t devtmpfs dev /dev
/usr/sbin/depmod -a
for m in virtio_pci virtio_blk dm-mod; do /usr/sbin/modprobe "$m"; done
for s in /sys/block/*/serial; do d=${s%/serial}; case $(b cat "$s") in source) source=/dev/${d##*/} ;; target) target=/dev/${d##*/} ;; esac; done
lvm() { c=$1; shift; /usr/sbin/lvm $c --nolocking --config 'activation{udev_sync=0 udev_rules=0 verify_udev_operations=0} devices{use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source="none"} backup{backup=0 archive=0}' "$@"; }
lvm pvcreate "$target" && lvm vgcreate system "$target" && lvm lvcreate -Wn -Zn -n root -l 100%FREE system &&
	/usr/sbin/dmsetup mknodes && b dd if="$source" of=/dev/mapper/system-root bs=1M && b sync && echo "disk reader: all is done"
b poweroff -f
`

// TestBootADiskReaderForWhatGoDoesNotRead fails if the kernel of a system on btrfs or
// LVM is not the one that was put there, or if its disk is written to.
func TestBootADiskReaderForWhatGoDoesNotRead(t *testing.T) {
	r, dir := reader(t), t.TempDir()
	tree, content := filepath.Join(dir, "tree"), bytes.Repeat([]byte("a kernel of the test "), 1<<16)
	for name, text := range map[string][]byte{
		"boot/vmlinuz-6.1.0-5": content, "boot/vmlinuz-6.1.0-1": []byte("an older one"), "boot/initrd.img-6.1.0-5": content,
		"etc/os-release": []byte("ID=openSUSE\nPRETTY_NAME=synthetic\n"), "etc/sysctl.d/1.conf": []byte("vm.max_map_count = 5000\n"),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made := func(name string, size int64, tool ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		if len(tool) > 0 {
			cmd := exec.CommandContext(t.Context(), "/usr/sbin/"+tool[0], append(tool[1:], path)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", tool, err, out)
			}
		}
		return path
	}
	source, lvm := made("source.ext4", 64<<20, "mke2fs", "-q", "-t", "ext4", "-d", tree), made("lvm.img", 80<<20)
	if err := r.boot(t.Context(), []byte(makeLVM), qemu.Drive{Serial: "source", Path: source, Format: "raw"},
		qemu.Drive{Serial: "target", Path: lvm, Format: "raw", Writable: true}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, chain string }{
		{made("synthetic-btrfs.img", 200<<20, "mkfs.btrfs", "-q", "--rootdir", tree), "helper guest; btrfs on vda; /boot/vmlinuz-6.1.0-5"},
		{lvm, "helper guest; ext4 on LVM system-root; /boot/vmlinuz-6.1.0-5"},
	} {
		before := hash(t, c.path)
		if _, err := (intake.Opener{}).Open(t.Context(), c.path, t.TempDir()); err == nil || !strings.Contains(err.Error(), "which nothing here reads") {
			t.Errorf("%s without a disk reader: %v", c.path, err)
		}
		found, err := intake.Opener{Help: r.Read}.Open(t.Context(), c.path, t.TempDir())
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		if got := strings.Join(found.Chain, "; "); got != c.chain || !bytes.Equal(found.Kernel, content) || found.OS.ID != "opensuse" || len(found.Policy) != 1 {
			t.Errorf("%s: %d bytes by way of %q, %+v, %+v", c.path, len(found.Kernel), got, found.OS, found.Policy)
		}
		if hash(t, c.path) != before {
			t.Errorf("%s was written to", c.path)
		}
	}
	// A superblock with nothing behind it.
	b, err := os.ReadFile(filepath.Join(dir, "synthetic-btrfs.img"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := made("damaged.img", 0)
	if err := os.WriteFile(damaged, append(b[:0x11000:0x11000], make([]byte, 20<<20)...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (intake.Opener{Help: r.Read}).Open(t.Context(), damaged, t.TempDir()); err == nil || !strings.Contains(err.Error(), "found no file system on it that Linux mounts") {
		t.Errorf("a damaged one: %v", err)
	}
}

func hash(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}
