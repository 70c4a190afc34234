package diskreader

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The user's disk must be attached read-only, and the script of the guest finds
// the disks by their serial numbers.
func TestTheCommandLineOfTheDiskReaderIsAsRecorded(t *testing.T) {
	rec, err := arch.Lookup("amd64")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, accel := range []qemu.Accel{qemu.TCG, qemu.KVM} {
		for _, format := range []string{"raw", "qcow2"} {
			cfg := qemu.Config{Prefix: []string{"/t/qemu"}, Arch: rec, Machine: rec.Machines[""], Accel: accel, CPUs: 1, Memory: memory,
				Kernel: "/c/vmlinux", Initrd: "/c/initramfs.cpio", Confined: qemu.Confinement{Filter: true}}
			argv, err := commandLine(cfg, "/c/my disk.img", format, "/c/out.tar")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s %s: %q\n", accel, format, argv)
		}
	}
	file := filepath.Join("testdata", "argv.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got.String() {
		t.Errorf("%s differs; run with -update if that is meant; got:\n%s", file, got.String())
	}
}

// commandLine is what Read starts for a disk.
func commandLine(cfg qemu.Config, disk, format, out string) ([]string, error) {
	cfg.Drives = readDrives(disk, format, out)
	return cfg.Argv()
}
