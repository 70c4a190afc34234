package intake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// btrfsHead makes a file with the superblock magic of btrfs. Only a helper reads
// more of such a disk.
func btrfsHead(t *testing.T) string {
	t.Helper()
	b := make([]byte, 1<<20)
	copy(b[0x10040:], "_BHRfS_M")
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// helper returns a Helper that writes files. A text that begins with "-> " becomes a
// link.
func helper(files map[string]string) Helper {
	return func(_ context.Context, _, format, to string) error {
		if format != "raw" {
			return errors.New("the format is " + format)
		}
		for name, text := range files {
			path := filepath.Join(to, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if target, ok := strings.CutPrefix(text, "-> "); ok {
				if err := os.Symlink(target, path); err != nil {
					return err
				}
				continue
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestWhatAHelperReadsIsSearchedAsADiskIs(t *testing.T) {
	found, err := Opener{Help: helper(map[string]string{
		"volumes": "0 vfat on vda1\n1 btrfs on vda2\n2 btrfs on vda2, subvolume @\n", "2/etc/os-release": "-> ../usr/lib/os-release",
		"2/usr/lib/os-release": "ID=kylin\n", "2/vmlinuz": "-> boot/vmlinuz-4.19", "2/boot/vmlinuz-4.19": "the kernel", "2/boot/config-4.19": "CONFIG_X=y\n",
	})}.Open(t.Context(), btrfsHead(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(found.Chain, "; "); string(found.Kernel) != "the kernel" || found.OS.ID != "kylin" || got != "helper guest; btrfs on vda2, subvolume @; /boot/vmlinuz-4.19" || len(found.Config) == 0 {
		t.Errorf("%q by way of %s, %+v", found.Kernel, got, found.OS)
	}
}

// TestAHostileHelperReachesNothing: a hostile disk may control what the guest
// writes. It must not lead out of the folder, and must give one clear sentence.
func TestAHostileHelperReachesNothing(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "vmlinuz-secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":             {map[string]string{"volumes": ""}, "found no file system"},
		"no list":             {nil, "what a helper guest found"},
		"a number too large":  {map[string]string{"volumes": "9999 x\n"}, "no number below 256"},
		"a path for a number": {map[string]string{"volumes": "../.. x\n"}, "no number below 256"},
		"a link out of it":    {map[string]string{"volumes": "0 x\n", "0/boot/vmlinuz-1": "-> " + secret}, "no kernel"},
		"a volume elsewhere":  {map[string]string{"volumes": "0 x\n", "0": "-> " + filepath.Dir(secret)}, "what a helper guest found"},
		"a list elsewhere":    {map[string]string{"volumes": "-> " + secret}, "what a helper guest found"},
		"links in a circle":   {map[string]string{"volumes": "0 x\n", "0/boot/vmlinuz-1": "-> vmlinuz-2", "0/boot/vmlinuz-2": "-> vmlinuz-1"}, "no kernel"},
	} {
		found, err := Opener{Help: helper(c.files)}.Open(t.Context(), btrfsHead(t), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), c.want) || found.Kernel != nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q, %v; want %q", name, found.Kernel, err, c.want)
		}
	}
	_, err := Opener{Help: func(context.Context, string, string, string) error { return errors.New("no kernel can be had") }}.Open(t.Context(), btrfsHead(t), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "no kernel can be had") {
		t.Errorf("%v", err)
	}
}

// TestTheSystemOfADiskWithoutAKernelIsKnown: an image without a kernel can be used
// together with a kernel from elsewhere.
func TestTheSystemOfADiskWithoutAKernelIsKnown(t *testing.T) {
	found, err := Opener{Help: helper(map[string]string{
		"volumes": "0 btrfs on vda\n", "0/etc/os-release": "ID=uos\n", "0/etc/sysctl.conf": "kernel.pid_max = 5000\n"})}.Open(t.Context(), btrfsHead(t), t.TempDir())
	if len(found.Unread) != 1 || !strings.Contains(found.Unread[0], "find a kernel in disk: no kernel") {
		t.Errorf("a report would say %q", found.Unread)
	}
	if !errors.Is(err, ErrNoKernel) || found.OS.ID != "uos" || len(found.Policy) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}
