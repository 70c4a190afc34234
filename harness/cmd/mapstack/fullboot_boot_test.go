//go:build boot

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/source/debian"
)

// installed makes the image of a Debian 12 with systemd, AppArmor and GRUB, as an installer
// would leave it. It stands for a vendor's image, and is made of parts that anybody has.
func installed(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not run: debootstrap makes a system as root alone")
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		t.Skip("not run: debootstrap is missing; apt-get install debootstrap")
	}
	mirror, err := debian.FindMirror(t.Context(), debian.ThisHost())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := c.Dir(t.Context(), "synthetic", "debian12-systemd-1", func(ctx context.Context, dir string) error {
		return install(ctx, mirror.URL.String(), dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "synthetic-debian12.img")
}

func install(ctx context.Context, mirror, dir string) error {
	root := filepath.Join(dir, "root")
	run := func(input, name string, args ...string) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env, cmd.Stdin = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/sbin:/usr/sbin", "LC_ALL=C"), strings.NewReader(input)
		if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
			cmd.Path, cmd.Err = path, nil
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, out[max(0, len(out)-2000):])
		}
		return nil
	}
	write := func(name, text string) error { return os.WriteFile(filepath.Join(root, name), []byte(text), 0o644) }
	if err := run("", "debootstrap", "--variant=minbase",
		"--include=systemd-sysv,libpam-systemd,dbus,udev,linux-image-amd64,initramfs-tools,grub-pc-bin,grub-common,apparmor", "bookworm", root, mirror); err != nil {
		return err
	}
	kernels, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		return fmt.Errorf("the kernels of the system are %v, %w", kernels, err)
	}
	release := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	if err := os.MkdirAll(filepath.Join(root, "boot/grub"), 0o755); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return write("etc/hostname", "synthetic\n") },
		func() error { return write("etc/fstab", "/dev/vda1 / ext4 rw 0 1\n") },
		func() error { return write("etc/sysctl.d/90-vendor.conf", "vm.max_map_count = 70000\n") },
		func() error {
			return write("etc/security/limits.d/90-vendor.conf", "* hard nproc 600\n* soft nproc 600\n")
		},
		func() error {
			return write("boot/grub/grub.cfg", "set timeout=0\nmenuentry 'Debian' {\n linux /boot/vmlinuz-"+release+
				" root=/dev/vda1 rw console=ttyS0\n initrd /boot/initrd.img-"+release+"\n}\n")
		},
		func() error { return write("early.cfg", "set root=(hd0,msdos1)\nconfigfile /boot/grub/grub.cfg\n") },
		func() error { return run("root:mapstack\n", "chroot", root, "chpasswd") },
		func() error {
			return run("", "chroot", root, "grub-mkimage", "-O", "i386-pc", "-c", "/early.cfg", "-p", "/boot/grub", "-o", "/core.img",
				"biosdisk", "part_msdos", "ext2", "normal", "linux", "configfile")
		},
		func() error {
			return run("", "mke2fs", "-q", "-t", "ext4", "-d", root, filepath.Join(dir, "volume"), "1500M")
		},
		func() error { return bootable(dir, root, run) },
		func() error { return os.RemoveAll(root) },
		func() error { return os.Remove(filepath.Join(dir, "volume")) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// bootable makes a disk with a partition and a boot loader before it, where an
// installation of GRUB puts them.
func bootable(dir, root string, run func(input, name string, args ...string) error) error {
	disk := filepath.Join(dir, "synthetic-debian12.img")
	if err := os.WriteFile(disk, nil, 0o644); err != nil {
		return err
	}
	if err := os.Truncate(disk, 1502<<20); err != nil {
		return err
	}
	if err := run("label: dos\nstart=2048, type=83, bootable\n", "sfdisk", "-q", disk); err != nil {
		return err
	}
	for _, part := range [][]string{
		{"if=" + filepath.Join(dir, "volume"), "bs=1M", "seek=1", "conv=notrunc,sparse"},
		{"if=" + filepath.Join(root, "usr/lib/grub/i386-pc/boot.img"), "bs=440", "count=1", "conv=notrunc"},
		{"if=" + filepath.Join(root, "core.img"), "bs=512", "seek=1", "conv=notrunc"},
	} {
		if err := run("", "dd", append(part, "of="+disk, "status=none")...); err != nil {
			return err
		}
	}
	return nil
}

// TestBootAWholeSystem boots an installed system as it is, and runs probes inside it, below
// systemd, with the system's security modules and settings.
func TestBootAWholeSystem(t *testing.T) {
	image := installed(t)
	before := state(t, image)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("mapstack\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := judged(t, verdict.ExitConformant, "--os-image", image, "--full-boot", "--password-file", password, "--focus", "mapstack,stage0,protection,system")
	cell := r.Cells[0]
	for _, part := range []string{"Debian GNU/Linux 12", "PID 1: systemd", "apparmor"} {
		if !strings.Contains(cell.OS, part) {
			t.Errorf("the system says %q, and not %q", cell.OS, part)
		}
	}
	if got := strings.Join(cell.Kernel.Provenance.Chain, " "); got != "raw booted as it is" || cell.Target != "full-boot" || cell.Accelerator == "" {
		t.Errorf("%q, %+v", got, cell)
	}
	for _, o := range r.Outcomes {
		want := verdict.Pass
		if o.Claim == "OS-002" { // the settings say so
			want = verdict.Fail
		}
		if o.Status != want && o.Status != verdict.Unsupported {
			t.Errorf("%s is %s: %s", o.Claim, o.Status, o.Reason)
		}
	}
	if after := state(t, image); after != before {
		t.Errorf("the image was %s and is %s", before, after)
	}
}
