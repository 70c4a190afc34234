package qemu

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Command lines are part of the evidence and of the keys of snapshots. A change
// here makes every cached snapshot useless, so it must be meant.
func TestTheCommandLineOfEveryMachineIsAsRecorded(t *testing.T) {
	var got strings.Builder
	record := func(what string, argv []string, err error) {
		if err != nil {
			fmt.Fprintf(&got, "%s: refused\n", what)
			return
		}
		fmt.Fprintf(&got, "%s: %q\n", what, argv)
	}
	prefix := []string{"/t/ld.so", "--library-path", "/t/lib", "/t/qemu", "-L", "/t/share"}
	for _, rec := range arch.All() {
		for _, name := range slices.Sorted(maps.Keys(rec.Machines)) {
			m := rec.Machines[name]
			for _, accel := range []Accel{TCG, KVM} {
				for _, disk := range []string{"", "/c/disk.ext4"} {
					cfg := Config{Prefix: prefix, Arch: rec, Machine: m, Accel: accel, CPUs: 1, Memory: 512,
						Kernel: "/c/vmlinux", Initrd: "/c/guest.cpio", Disk: disk, Confined: Confinement{Filter: true}}
					what := fmt.Sprintf("%s %q %s disk=%q", rec.GOARCH, name, accel, disk)
					argv, err := cfg.Argv()
					record(what, argv, err)
					if err != nil {
						continue
					}
					cfg.RAM = "/c/a snapshot/ram"
					argv, err = cfg.Argv()
					record(what+" saved", argv, err)
					cfg.Restore = true
					argv, err = cfg.Argv()
					record(what+" restored", argv, err)
				}
				for _, firmware := range []string{"", "/c/OVMF.fd"} {
					argv, err := fullBoot(prefix, m, accel, "/c/my system.qcow2", "qcow2", firmware)
					record(fmt.Sprintf("%s %q %s full boot firmware=%q", rec.GOARCH, name, accel, firmware), argv, err)
				}
			}
		}
	}
	rec := arch.All()[0]
	argv, err := Config{Prefix: prefix, Arch: rec, Machine: rec.Machines[""], Accel: TCG, CPUs: 4, Memory: 3072, Kernel: "/c/vmlinux", Initrd: "/c/guest.cpio",
		Extra: []arch.Param{{Value: "sysctl.vm.max_map_count=65530"}, {Value: "lsm=capability,bpf"}}}.Argv()
	record("with parameters that were asked for", argv, err)
	golden(t, "argv.golden", got.String())
}

// fullBoot is the command line that boots the system on a disk.
func fullBoot(prefix []string, m arch.Machine, accel Accel, image, format, firmware string) ([]string, error) {
	return Config{Prefix: prefix, Machine: m, Accel: accel, CPUs: 1, Memory: 2048,
		System: image, SystemFormat: format, Programs: "/c/programs.ext4", Firmware: firmware, Confined: Confinement{Filter: true}}.Argv()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == got {
		return
	}
	was := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(was) || line != was[i] {
			t.Errorf("%s:%d differs; run with -update if that is meant; got:\n%s", file, i+1, line)
		}
	}
}
