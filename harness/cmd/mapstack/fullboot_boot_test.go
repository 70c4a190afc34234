//go:build boot

package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/source/debian"
)

// system is a Debian 12 with systemd and GRUB, as an installer would leave it. It stands for
// a vendor's image, and is made of parts that anybody has.
type system struct {
	Name       string   // of the host and of the image
	Packages   []string // besides those of every system
	Parameters string   // of its kernel
	Files      map[string]string
	// Logins are further accounts of root, by name: what their profile runs at a login.
	Logins map[string]string
	// Last is a command in the finished system, which sees /proc; "" for none.
	Last string
}

// password is that of every account.
const password = "mapstack"

// installed makes the image of a system, which takes two or three minutes and 900 MB. It is
// kept in the cache until something of the system changes here.
func (s system) installed(t *testing.T) string {
	t.Helper()
	if why := cannotInstall(); why != "" {
		t.Skip("not run: " + why)
	}
	mirror, err := debian.FindMirror(t.Context(), debian.ThisHost())
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := c.Dir(t.Context(), "synthetic", fmt.Sprintf("%s-%x", installVersion, sha256.Sum256(text)), func(ctx context.Context, dir string) error {
		return s.install(ctx, mirror.URL.String(), dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, s.Name+".img")
}

// cannotInstall says what this machine lacks to install a system; "" if nothing.
func cannotInstall() string {
	if os.Getuid() != 0 {
		return "debootstrap makes a system as root alone"
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return "debootstrap is missing; apt-get install debootstrap"
	}
	return ""
}

// installVersion is part of the cache key. Raise it when install changes its output.
const installVersion = "2"

func (s system) install(ctx context.Context, mirror, dir string) error {
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
	packages := append([]string{"systemd-sysv", "libpam-systemd", "dbus", "udev", "linux-image-amd64", "initramfs-tools", "grub-pc-bin", "grub-common"}, s.Packages...)
	if err := run("", "debootstrap", "--variant=minbase", "--include="+strings.Join(packages, ","), "bookworm", root, mirror); err != nil {
		return err
	}
	kernels, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		return fmt.Errorf("the kernels of the system are %v, %w", kernels, err)
	}
	release := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	files := map[string]string{
		"etc/hostname": s.Name + "\n",
		"etc/fstab":    "/dev/vda1 / ext4 rw 0 1\n",
		"boot/grub/grub.cfg": "set timeout=0\nmenuentry 'Debian' {\n linux /boot/vmlinuz-" + release +
			" root=/dev/vda1 rw console=ttyS0 " + s.Parameters + "\n initrd /boot/initrd.img-" + release + "\n}\n",
		"early.cfg": "set root=(hd0,msdos1)\nconfigfile /boot/grub/grub.cfg\n",
	}
	maps.Copy(files, s.Files)
	accounts, passwords := "", "root:"+password+"\n"
	for _, login := range slices.Sorted(maps.Keys(s.Logins)) {
		accounts += login + ":x:0:0:root:/root/" + login + ":/bin/sh\n"
		passwords += login + ":" + password + "\n"
		files["root/"+login+"/.profile"] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n" + s.Logins[login] + "\n"
	}
	for _, step := range []func() error{
		func() error { return write(root, files) },
		func() error { return appendTo(filepath.Join(root, "etc/passwd"), accounts) },
		func() error { return run(passwords, "chroot", root, "chpasswd") },
		func() error {
			return run("", "chroot", root, "grub-mkimage", "-O", "i386-pc", "-c", "/early.cfg", "-p", "/boot/grub", "-o", "/core.img",
				"biosdisk", "part_msdos", "ext2", "normal", "linux", "configfile")
		},
		func() error { return os.RemoveAll(filepath.Join(root, "var/cache/apt/archives")) },
		func() error {
			if s.Last == "" {
				return nil
			}
			return run("", "unshare", "-m", "sh", "-c", `mount -t proc proc "$0/proc" && exec chroot "$0" sh -c "$1"`, root, s.Last)
		},
		func() error {
			return run("", "mke2fs", "-q", "-t", "ext4", "-d", root, filepath.Join(dir, "volume"), "1500M")
		},
		func() error { return bootable(dir, root, filepath.Join(dir, s.Name+".img"), run) },
		func() error { return os.RemoveAll(root) },
		func() error { return os.Remove(filepath.Join(dir, "volume")) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// write writes files below a folder.
func write(root string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func appendTo(path, text string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(before, text...), 0o644)
}

// bootable makes a disk with a partition and a boot loader before it, where an
// installation of GRUB puts them.
func bootable(dir, root, disk string, run func(input, name string, args ...string) error) error {
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

// withAppArmor has AppArmor, which Debian switches on, and limits of a vendor.
var withAppArmor = system{
	Name: "synthetic-debian12", Packages: []string{"apparmor"},
	Files: map[string]string{
		"etc/sysctl.d/90-vendor.conf":          "vm.max_map_count = 70000\n",
		"etc/security/limits.d/90-vendor.conf": "* hard nproc 600\n* soft nproc 600\n",
		"root/guarded/profile":                 guardedProfile,
	},
	// The login loads the profile, so that the other account boots the system as it is.
	Logins: map[string]string{"guarded": "apparmor_parser --replace /root/guarded/profile"},
}

// TestBootAWholeSystem boots an installed system as it is, and runs probes inside it, below
// systemd, with the system's security modules and settings.
func TestBootAWholeSystem(t *testing.T) {
	image := withAppArmor.installed(t)
	before := state(t, image)
	r := judged(t, verdict.ExitConformant, "--os-image", image, "--full-boot", "--password-file", passwordFile(t), "--focus", "mapstack,stage0,protection,system")
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

// passwordFile makes the file with the password of every account.
func passwordFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
