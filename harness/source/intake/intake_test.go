package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/rpmpack"
	"github.com/klauspost/compress/zstd"
)

// tool returns the path of a program that makes synthetic images. Without it the
// test is skipped, and says so.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	for _, dir := range []string{"", "/sbin/", "/usr/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	t.Skipf("not run: %s is missing; apt-get install %s", name, pkg)
	return ""
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// kernelText stands for a kernel. intake does not look into it; its readers must
// return every byte, including holes.
func kernelText() []byte {
	b := bytes.Repeat([]byte("kernel of the test "), 40_000)
	copy(b[100_000:400_000], make([]byte, 300_000))
	return b
}

// tree makes a root file system with a distribution's layout.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"boot/vmlinuz-5.10.0-9":        "an older kernel",
		"boot/vmlinuz-5.10.0-60":       string(kernelText()),
		"boot/config-5.10.0-60":        "CONFIG_64BIT=y\n",
		"boot/vmlinuz-0-rescue-1":      "not this one",
		"boot/vmlinuz-5.10.0-70.bak":   "nor this",
		"usr/lib/os-release":           "NAME=\"synthetic openEuler\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\nPRETTY_NAME=\"synthetic openEuler 22.03\"\n",
		"usr/lib/sysctl.d/50-a.conf":   "# a comment\nvm.max_map_count = 1000\nkernel.pid_max = 4096\nnet.ipv4.ip_forward = 1\n",
		"etc/sysctl.d/60-b.conf":       "vm/max_map_count=2000\n",
		"etc/security/limits.conf":     "# <domain> <type> <item> <value>\n*  soft  nproc  512\n",
		"etc/systemd/system.conf":      "[Manager]\n#DefaultTasksMax=15%\nDefaultTasksMax=700\n",
		"etc/selinux/config":           "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
		"boot/grub2/grub.cfg":          "set default=\"${saved_entry}\"\nmenuentry 'old' --class os $menuentry_id_option 'old-id' {\n linux /boot/vmlinuz-5.10.0-9 root=x\n}\nsubmenu 'more' {\n menuentry 'new' $menuentry_id_option 'new-id' {\n  linux /boot/vmlinuz-5.10.0-60 root=x\n }\n}\n",
		"boot/grub2/grubenv":           "# GRUB Environment Block\nsaved_entry=more>new-id\n",
		"lib/modules/5.10.0-60/x.ko":   "a module",
		"boot/initramfs-5.10.0-60.img": "not a kernel",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../usr/lib/os-release", filepath.Join(root, "etc/os-release")); err != nil {
		t.Fatal(err)
	}
	return root
}

func ext4Image(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "synthetic-ext4.img")
	run(t, tool(t, "mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-d", tree(t), path, "32M")
	return path
}

// gpt puts a file system into a partition of a disk with a GPT.
func gpt(t *testing.T, fileSystem string) string {
	t.Helper()
	sfdisk := tool(t, "sfdisk", "fdisk")
	b, err := os.ReadFile(fileSystem)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "synthetic-gpt.img")
	disk, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if err := disk.Truncate(int64(len(b)) + 8<<20); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sfdisk, "-q", path)
	cmd.Stdin = strings.NewReader(fmt.Sprintf("label: gpt\nstart=2048, size=2048, type=swap\nstart=4096, size=%d, type=linux\n", len(b)/512))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	if _, err := disk.WriteAt(b, 4096*512); err != nil {
		t.Fatal(err)
	}
	return path
}

// xfsImage has the layout of an older system with the same kernel: mkfs.xfs copies
// files by a list.
func xfsImage(t *testing.T) string {
	t.Helper()
	mkfs := tool(t, "mkfs.xfs", "xfsprogs")
	root := tree(t)
	proto := filepath.Join(t.TempDir(), "proto")
	text := fmt.Sprintf("/stage1\n0 0\nd--755 0 0\nboot d--755 0 0\nvmlinuz-5.10.0-60 ---644 0 0 %s/boot/vmlinuz-5.10.0-60\n$\nusr d--755 0 0\nlib d--755 0 0\nos-release ---644 0 0 %s/usr/lib/os-release\n$\n$\n$\n", root, root)
	if err := os.WriteFile(proto, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "synthetic-xfs.img")
	run(t, mkfs, "-q", "-p", proto, "-d", "file,name="+path+",size=320m")
	return path
}

func qcow2Image(t *testing.T, raw string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "synthetic.qcow2")
	run(t, tool(t, "qemu-img", "qemu-utils"), "convert", "-c", "-f", "raw", "-O", "qcow2", raw, path)
	return path
}

func rpmFileOf(t *testing.T, compressor string) string {
	t.Helper()
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: "synthetic-kernel-core", Version: "5.10.0", Release: "60", Arch: "x86_64", Compressor: compressor})
	if err != nil {
		t.Fatal(err)
	}
	r.AddFile(rpmpack.RPMFile{Name: "/lib/modules/5.10.0-60/vmlinuz", Body: kernelText(), Mode: 0o100755})
	r.AddFile(rpmpack.RPMFile{Name: "/lib/modules/5.10.0-60/config", Body: []byte("CONFIG_64BIT=y\n"), Mode: 0o100644})
	r.AddFile(rpmpack.RPMFile{Name: "/usr/share/doc/readme", Body: []byte("text"), Mode: 0o100644})
	path := filepath.Join(t.TempDir(), "synthetic.rpm")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := r.Write(f); err != nil {
		t.Fatal(err)
	}
	return path
}

func zstdOf(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	path := file + ".zst"
	if err := os.WriteFile(path, w.EncodeAll(b, nil), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheKernelIsFoundWhateverItIsIn(t *testing.T) {
	for name, tc := range map[string]struct {
		make  func(t *testing.T) string
		chain string
		os    bool // and what the system says of itself
	}{
		"a bare file": {func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "vmlinuz")
			if err := os.WriteFile(path, kernelText(), 0o644); err != nil {
				t.Fatal(err)
			}
			return path
		}, "file", false},
		"rpm, gzip":                   {func(t *testing.T) string { return rpmFileOf(t, "gzip") }, "rpm /lib/modules/5.10.0-60/vmlinuz", false},
		"rpm, xz":                     {func(t *testing.T) string { return rpmFileOf(t, "xz") }, "rpm /lib/modules/5.10.0-60/vmlinuz", false},
		"rpm, lzma":                   {func(t *testing.T) string { return rpmFileOf(t, "lzma") }, "rpm /lib/modules/5.10.0-60/vmlinuz", false},
		"rpm, zstd":                   {func(t *testing.T) string { return rpmFileOf(t, "zstd") }, "rpm /lib/modules/5.10.0-60/vmlinuz", false},
		"ext4":                        {ext4Image, "ext4 /boot/vmlinuz-5.10.0-60", true},
		"ext4 in a GPT":               {func(t *testing.T) string { return gpt(t, ext4Image(t)) }, "partition 2 ext4 /boot/vmlinuz-5.10.0-60", true},
		"ext4 in a compressed qcow2":  {func(t *testing.T) string { return qcow2Image(t, ext4Image(t)) }, "qcow2 ext4 /boot/vmlinuz-5.10.0-60", true},
		"xfs in a GPT in a qcow2":     {func(t *testing.T) string { return qcow2Image(t, gpt(t, xfsImage(t))) }, "qcow2 partition 2 xfs /boot/vmlinuz-5.10.0-60", true},
		"ext4, compressed with zstd":  {func(t *testing.T) string { return zstdOf(t, ext4Image(t)) }, "zstd ext4 /boot/vmlinuz-5.10.0-60", true},
		"qcow2, compressed with zstd": {func(t *testing.T) string { return zstdOf(t, qcow2Image(t, ext4Image(t))) }, "zstd qcow2 ext4 /boot/vmlinuz-5.10.0-60", true},
	} {
		t.Run(name, func(t *testing.T) {
			path := tc.make(t)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			written, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			scratch := t.TempDir()
			found, err := Opener{}.Open(t.Context(), path, scratch)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(found.Kernel, kernelText()) {
				t.Errorf("%d bytes that are not the kernel's", len(found.Kernel))
			}
			if got := strings.Join(found.Chain, " "); got != tc.chain {
				t.Errorf("found by %q, want %q", got, tc.chain)
			}
			if digest := sha256.Sum256(before); found.SHA256 != hex.EncodeToString(digest[:]) || found.Size != int64(len(before)) {
				t.Errorf("%s of %d bytes", found.SHA256, found.Size)
			}
			if tc.os && found.OS.ID != "openeuler" {
				t.Errorf("%+v", found.OS)
			}
			after, err := os.ReadFile(path)
			if now, statErr := os.Stat(path); err != nil || statErr != nil || !bytes.Equal(before, after) || !now.ModTime().Equal(written.ModTime()) {
				t.Errorf("the image was written to: %v, %v", err, statErr)
			}
			if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
				t.Errorf("%v left in the scratch folder, %v", left, err)
			}
		})
	}
}

func TestWhatTheSystemSetsIsReadWithItsSource(t *testing.T) {
	found, err := Opener{}.Open(t.Context(), ext4Image(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if found.OS.Name != "synthetic openEuler 22.03" || found.OS.Version != "22.03" || string(found.Config) != "CONFIG_64BIT=y\n" {
		t.Errorf("%+v, config %q", found.OS, found.Config)
	}
	if want := []string{"new (/boot/vmlinuz-5.10.0-60)", "old (/boot/vmlinuz-5.10.0-9)"}; !slices.Equal(found.Entries, want) {
		t.Errorf("the boot loader offers %v, want %v", found.Entries, want)
	}
	want := []PolicyLine{
		{Name: "* soft nproc", Value: "512", Source: "/etc/security/limits.conf:2"},
		{Name: "DefaultTasksMax", Value: "700", Source: "/etc/systemd/system.conf:3"},
		{Name: "SELINUX", Value: "enforcing", Source: "/etc/selinux/config:1"},
		{Name: "kernel.pid_max", Value: "4096", Source: "/usr/lib/sysctl.d/50-a.conf:3"},
		{Name: "vm.max_map_count", Value: "2000", Source: "/etc/sysctl.d/60-b.conf:1"},
	}
	if !slices.Equal(found.Policy, want) {
		t.Errorf("%v, want %v", found.Policy, want)
	}
}

func TestWhatCannotBeReadIsOneSentence(t *testing.T) {
	write := func(t *testing.T, b []byte) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cut := func(t *testing.T, path string, keep int64) string {
		t.Helper()
		if err := os.Truncate(path, keep); err != nil {
			t.Fatal(err)
		}
		return path
	}
	at := func(offset int, magic string) []byte {
		b := make([]byte, 1<<20)
		copy(b[offset:], magic)
		return b
	}
	for name, tc := range map[string]struct {
		make func(t *testing.T) string
		want string
	}{
		"no such file":         {func(t *testing.T) string { return filepath.Join(t.TempDir(), "nothing") }, "no such file"},
		"a folder":             {func(t *testing.T) string { return t.TempDir() }, "no regular file"},
		"LUKS":                 {func(t *testing.T) string { return write(t, at(0, "LUKS\xba\xbe")) }, "encrypted (LUKS)"},
		"LVM":                  {func(t *testing.T) string { return write(t, at(512, "LABELONE")) }, "it is LVM"},
		"btrfs":                {func(t *testing.T) string { return write(t, at(0x10040, "_BHRfS_M")) }, "it is btrfs"},
		"a truncated deb":      {func(t *testing.T) string { return write(t, []byte("!<arch>\ndebian-binary")) }, "truncated"},
		"a truncated rpm":      {func(t *testing.T) string { return cut(t, rpmFileOf(t, "gzip"), 2000) }, "rpm"},
		"an rpm of junk":       {func(t *testing.T) string { return write(t, append([]byte("\xed\xab\xee\xdb"), make([]byte, 500)...)) }, "rpm"},
		"a truncated qcow2":    {func(t *testing.T) string { return cut(t, qcow2Image(t, ext4Image(t)), 40_000) }, "find a kernel in"},
		"a qcow2 header alone": {func(t *testing.T) string { return write(t, []byte("QFI\xfb\x00\x00\x00\x03")) }, "qcow2"},
		"a truncated GPT":      {func(t *testing.T) string { return cut(t, gpt(t, ext4Image(t)), 3<<20) }, "truncated or damaged"},
		"an ext4 of zeroes":    {func(t *testing.T) string { return write(t, at(0x438, "\x53\xef")) }, "damaged"},
		"an xfs of zeroes":     {func(t *testing.T) string { return write(t, at(0, "XFSB")) }, "find a kernel in"},
		"a boot sector alone":  {func(t *testing.T) string { return write(t, at(510, "\x55\xaa")) }, "find a kernel in"},
		"a qcow2 of a huge table": {func(t *testing.T) string {
			b := at(0, "QFI\xfb\x00\x00\x00\x03")
			b[23], b[36], b[37], b[38], b[39] = 16, 0xff, 0xff, 0xff, 0xff
			return write(t, b)
		}, "sizes that the file cannot have"},
		"a qcow2 above another": {func(t *testing.T) string {
			b := at(0, "QFI\xfb\x00\x00\x00\x03")
			b[15] = 1
			return write(t, b)
		}, "layer above another file"},
		"an encrypted qcow2": {func(t *testing.T) string {
			b := at(0, "QFI\xfb\x00\x00\x00\x03")
			b[35] = 2
			return write(t, b)
		}, "encrypted"},
		"a damaged zstd stream": {func(t *testing.T) string {
			return write(t, append([]byte("\x28\xb5\x2f\xfd"), bytes.Repeat([]byte{7}, 100)...))
		}, "zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			path := tc.make(t)
			found, err := Opener{}.Open(t.Context(), path, t.TempDir())
			if err != nil && strings.Count(err.Error(), path) != 1 {
				t.Errorf("%v, want %s named once", err, path)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line with %q; found %v", err, tc.want, found.Chain)
			}
		})
	}
}

func TestTheLoadersDefaultIsTaken(t *testing.T) {
	entries := []entry{{title: "a", id: "a-id", place: "0"}, {title: "b", id: "b-id", place: "1"}, {title: "c", place: "2"}}
	for def, want := range map[string]int{"": 0, "1": 1, "9": 0, "b-id": 1, "c": 2, "more>b-id": 1, "unknown": 0} {
		if got := choose(entries, def); got != want {
			t.Errorf("default %q is entry %d, want %d", def, got, want)
		}
	}
	menu, def := grub("set default=\"1>1\"\nmenuentry 'a' {\n linux /a\n}\nsubmenu 'more' {\n menuentry 'b' {\n linux /b\n }\n menuentry 'c' {\n linux /c\n }\n}\nmenuentry 'd' {\n linux /d\n}\n")
	if len(menu) != 4 || menu[choose(menu, def)].kernel != "/c" || menu[choose(menu, "2")].kernel != "/d" || menu[choose(menu, "more>b")].kernel != "/b" {
		t.Errorf("%+v, default %q", menu, def)
	}
	list, def := extlinux("DEFAULT two\nLABEL one\n KERNEL /vmlinuz-1\nLABEL two\n LINUX /vmlinuz-2\nLABEL none\n")
	if len(list) != 2 || list[choose(list, def)].kernel != "/vmlinuz-2" {
		t.Errorf("%v, default %q", list, def)
	}
	for _, pair := range [][2]string{{"vmlinuz-5.10.0-9", "vmlinuz-5.10.0-60"}, {"vmlinuz-4.19", "vmlinuz-5.4"}, {"a", "b"}, {"v1", "v1a"}} {
		if !before(pair[0], pair[1]) || before(pair[1], pair[0]) {
			t.Errorf("%s is not before %s", pair[0], pair[1])
		}
	}
}

func FuzzConfigurations(f *testing.F) {
	f.Add("menuentry 'x' {\nlinux /boot/vmlinuz\n}\nset default=0\n")
	f.Add("label x\nkernel y\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func(string) ([]entry, string){grub, extlinux} {
			list, def := read(text)
			if at := choose(list, def); len(list) > 0 && at >= len(list) {
				t.Errorf("entry %d of %d", at, len(list))
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("QFI\xfb\x00\x00\x00\x03"))
	f.Add([]byte("\xed\xab\xee\xdb"))
	f.Add([]byte("!<arch>\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		var o Opener
		if found, err := o.Open(t.Context(), path, t.TempDir()); err == nil && len(found.Chain) == 0 {
			t.Error("a kernel from nowhere")
		}
	})
}
