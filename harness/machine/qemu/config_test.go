package qemu

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

func config(rec arch.Record, m arch.Machine) Config {
	cfg := Config{Prefix: []string{"qemu"}, Arch: rec, Machine: m, Accel: TCG, CPUs: 1, Memory: 512, Kernel: "/k", Initrd: "/i"}
	if m.Disk != "" {
		cfg.Disk = "/d"
	}
	return cfg
}

// The kernel under test must get no parameter that is not on the list, and the report
// shows the reason of each.
func TestOnlyAllowedKernelParametersWithReasons(t *testing.T) {
	allowed := map[string]bool{"panic=-1": true, "oops=panic": true, "rdinit=/init": true, "initcall_blacklist=i8042_init": true, "no_timer_check": true, "nokaslr": true,
		"root=/dev/vda": true, "rootfstype=ext4": true, "ro": true, "init=/init": true}
	for _, rec := range arch.All() {
		for name, m := range rec.Machines {
			cfg := config(rec, m)
			argv, err := cfg.Argv()
			if err != nil {
				t.Fatal(err)
			}
			at := slices.Index(argv, "-append")
			words := strings.Fields(argv[at+1])
			params := cfg.Params()
			if len(words) != len(params) {
				t.Errorf("%s %s: %d words on the command line, %d parameters", rec.GOARCH, name, len(words), len(params))
			}
			for i, p := range params {
				if words[i] != p.Value || len(p.Reason) < 20 {
					t.Errorf("%s %s: %q with reason %q", rec.GOARCH, name, p.Value, p.Reason)
				}
				if !allowed[p.Value] && p.Value != "console="+m.Console {
					t.Errorf("%s %s: kernel parameter %q is not on the list", rec.GOARCH, name, p.Value)
				}
			}
		}
	}
}

// The public core3 board ignores -initrd without a message, and later boards load it.
// The kernel must find the guest image on both, and nothing may write to the disk.
func TestAMachineWithoutAnInitramfsHasTheGuestImageAsADisk(t *testing.T) {
	rec, err := arch.Lookup("sw64")
	if err != nil {
		t.Fatal(err)
	}
	m, err := rec.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(rec, m)
	argv, err := cfg.Argv()
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(argv, " ")
	for _, want := range []string{"-machine core3 ", "-initrd /i", "readonly=on,file=/d", "-device virtio-blk-pci,drive=root", "root=/dev/vda rootfstype=ext4 ro init=/init"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in %s", want, line)
		}
	}
	cfg.Disk = ""
	if _, err := cfg.Argv(); err == nil {
		t.Error("the machine starts without its disk")
	}
}

func TestEveryMachineEndsWithItsGuest(t *testing.T) {
	for _, rec := range arch.All() {
		for _, m := range rec.Machines {
			argv, err := config(rec, m).Argv()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"-no-reboot", "-nodefaults", "-no-user-config"} {
				if !slices.Contains(argv, want) {
					t.Errorf("%s %s: no %s in %v", rec.GOARCH, m.Name, want, argv)
				}
			}
		}
	}
}

// QEMU refuses to start with KVM and a clock of instructions.
func TestOnlyAnEmulatedCPUCountsInstructions(t *testing.T) {
	cfg := config(arch.All()[0], arch.Machine{Name: "m", Console: "ttyS0", Icount: "shift=1"})
	for accel, want := range map[Accel]bool{TCG: true, KVM: false} {
		cfg.Accel = accel
		argv, err := cfg.Argv()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(argv, "-icount") != want {
			t.Errorf("%s: %v", accel, argv)
		}
	}
}

func TestPathsThatQEMUWouldMisreadAreRefused(t *testing.T) {
	rec := arch.All()[0]
	for name, change := range map[string]func(*Config){
		"comma in kernel":   func(c *Config) { c.Kernel = "/a,readonly=on" },
		"comma in memory":   func(c *Config) { c.RAM = "/a,b" },
		"comma in initrd":   func(c *Config) { c.Initrd = "/a,b" },
		"comma in a drive":  func(c *Config) { c.Drives = []Drive{{Serial: "a", Path: "/a,b", Format: "raw"}} },
		"comma in a serial": func(c *Config) { c.Drives = []Drive{{Serial: "a,b", Path: "/a", Format: "raw"}} },
		"split parameter":   func(c *Config) { c.Machine.Console = "ttyS0 init=/bin/sh" },
		"quoted parameter":  func(c *Config) { c.Machine.Console = `tty"S0` },
	} {
		cfg := config(rec, rec.Machines[""])
		change(&cfg)
		if argv, err := cfg.Argv(); err == nil {
			t.Errorf("%s: %v", name, argv)
		}
	}
	for name, change := range map[string]func(*Config){
		"comma in the disk":     func(c *Config) { c.System = "/a,b" },
		"comma in the programs": func(c *Config) { c.Programs = "/a,b" },
		"comma in the firmware": func(c *Config) { c.Firmware = "/a,b" },
	} {
		cfg := diskConfig(rec)
		change(&cfg)
		if argv, err := cfg.Argv(); err == nil {
			t.Errorf("%s: %v", name, argv)
		}
	}
}

// diskConfig is a machine that boots from a disk.
func diskConfig(rec arch.Record) Config {
	return Config{Prefix: []string{"qemu"}, Arch: rec, Machine: rec.Machines[""], Accel: TCG, CPUs: 1, Memory: 512,
		System: "/s", SystemFormat: "raw", Programs: "/p"}
}

// A machine that is put together wrongly must not start as something else.
func TestCombinationsThatAreNoMachineAreRefused(t *testing.T) {
	rec := arch.All()[0]
	for _, c := range []struct {
		name   string
		cfg    Config
		change func(*Config)
		why    string
	}{
		{"no QEMU", config(rec, rec.Machines[""]), func(c *Config) { c.Prefix = nil }, "no QEMU"},
		{"no CPU", config(rec, rec.Machines[""]), func(c *Config) { c.CPUs = 0 }, "0 CPUs"},
		{"no memory", diskConfig(rec), func(c *Config) { c.Memory = 0 }, "0 MiB"},
		{"no kernel", config(rec, rec.Machines[""]), func(c *Config) { c.Kernel = "" }, "a kernel"},
		{"no initramfs", config(rec, rec.Machines[""]), func(c *Config) { c.Initrd = "" }, "an initramfs"},
		{"nothing to boot", diskConfig(rec), func(c *Config) { c.System = "" }, "a disk to boot from"},
		{"no accelerator", config(rec, rec.Machines[""]), func(c *Config) { c.Accel = "" }, "accelerator"},
		{"an unknown accelerator", config(rec, rec.Machines[""]), func(c *Config) { c.Accel = "hvf" }, `"hvf"`},
		{"two things to boot", diskConfig(rec), func(c *Config) { c.Kernel, c.Initrd = "/k", "/i" }, "both"},
		{"an initramfs for a disk", diskConfig(rec), func(c *Config) { c.Initrd = "/i" }, "both"},
		{"parameters for a boot loader", diskConfig(rec), func(c *Config) { c.Extra = []arch.Param{{Value: "quiet"}} }, "boot loader"},
		{"a root disk beside the system", diskConfig(rec), func(c *Config) { c.Disk = "/d" }, "root disk"},
		{"a system that is saved", diskConfig(rec), func(c *Config) { c.RAM = "/ram" }, "saved"},
		{"a disk of unknown format", diskConfig(rec), func(c *Config) { c.SystemFormat = "" }, "format"},
		{"a system without programs", diskConfig(rec), func(c *Config) { c.Programs = "" }, "programs"},
		{"firmware for a kernel", config(rec, rec.Machines[""]), func(c *Config) { c.Firmware = "/f" }, "firmware"},
		{"programs for a kernel", config(rec, rec.Machines[""]), func(c *Config) { c.Programs = "/p" }, "programs"},
		{"a disk that the machine has not", config(rec, rec.Machines[""]), func(c *Config) { c.Disk = "/d" }, "no disk"},
		{"a restore of nothing", config(rec, rec.Machines[""]), func(c *Config) { c.Restore = true }, "restored"},
		{"a drive of unknown format", config(rec, rec.Machines[""]), func(c *Config) { c.Drives = []Drive{{Serial: "a", Path: "/a"}} }, "format="},
		{"memory of two backends", config(rec, arch.Machine{Name: "m", Console: "ttyS0", Options: "memory-backend=x"}),
			func(c *Config) { c.RAM = "/ram" }, "memory-backend=x and memory-backend=ram"},
	} {
		if _, err := c.cfg.Argv(); err != nil {
			t.Fatalf("%s: before the change: %v", c.name, err)
		}
		c.change(&c.cfg)
		argv, err := c.cfg.Argv()
		if err == nil || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), "machine "+c.cfg.Machine.Name) {
			t.Errorf("%s: error %v, want one about %q; %q", c.name, err, c.why, argv)
		}
	}
}

func TestDrivesAreRepeatedAndNoneIsAnother(t *testing.T) {
	rec := arch.All()[0]
	cfg := config(rec, arch.Machine{Name: "m", Console: "ttyS0", Disk: "virtio-blk-device"})
	cfg.Drives = []Drive{{Serial: "image", Path: "/image", Format: "qcow2"}, {Serial: "out", Path: "/out", Format: "raw", Writable: true}}
	argv, err := cfg.Argv()
	if err != nil {
		t.Fatal(err)
	}
	var drives []string
	for i, w := range argv {
		if w == "-drive" || w == "-device" {
			drives = append(drives, argv[i+1])
		}
	}
	// The root comes first: the kernel is told that it is vda.
	want := []string{"if=none,id=root,format=raw,readonly=on,file=/d", "virtio-blk-device,drive=root",
		"if=none,id=image,readonly=on,format=qcow2,file=/image", "virtio-blk-pci,drive=image,serial=image",
		"if=none,id=out,readonly=off,format=raw,file=/out", "virtio-blk-pci,drive=out,serial=out"}
	if !slices.Equal(drives, want) {
		t.Errorf("drives %q, want %q", drives, want)
	}
	for _, taken := range []string{"out", "root"} {
		cfg.Drives[0].Serial = taken
		if _, err := cfg.Argv(); err == nil || strings.Count(err.Error(), "id="+taken) != 2 {
			t.Errorf("two drives with the name %s: %v", taken, err)
		}
	}
}

// What the kernel is told and what the machine has are made together; neither may
// be there without the other.
func TestDevicesAndTheirKernelParametersComeTogether(t *testing.T) {
	for _, rec := range arch.All() {
		for name, m := range rec.Machines {
			cfg := config(rec, m)
			argv, err := cfg.Argv()
			if err != nil {
				t.Fatal(err)
			}
			line := strings.Join(argv, " ") + " "
			for argument, parameter := range map[string]string{
				"-serial chardev:console ": "console=", "-no-reboot ": "panic=-1 ", "-initrd /i ": "rdinit=/init ", ",drive=root ": "root=/dev/vda ",
			} {
				if strings.Contains(line, argument) != strings.Contains(line, parameter) {
					t.Errorf("%s %q: only one of %q and %q is in %s", rec.GOARCH, name, argument, parameter, line)
				}
			}
		}
	}
	if p := diskConfig(arch.All()[0]).Params(); p != nil {
		t.Errorf("a boot loader is said to pass %v", p)
	}
}

// A restored guest must not change the memory that the next one starts from.
func TestOnlyTheSavedGuestWritesItsMemoryFile(t *testing.T) {
	rec := arch.All()[0]
	cfg := config(rec, rec.Machines[""])
	for _, c := range []struct {
		ram     string
		restore bool
		want    string
		waits   bool
	}{
		{"", false, "", false},
		{"/ram", false, "memory-backend-file,id=ram,size=512M,mem-path=/ram,share=on", false},
		{"/ram", true, "memory-backend-file,id=ram,size=512M,mem-path=/ram,share=off", true},
	} {
		cfg.RAM, cfg.Restore = c.ram, c.restore
		argv, err := cfg.Argv()
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Join(argv, " ")
		if strings.Contains(line, ",memory-backend=ram ") != (c.ram != "") || !strings.Contains(line, c.want) ||
			slices.Contains(argv, "-incoming") != c.waits {
			t.Errorf("%+v: %s", c, line)
		}
	}
}

// A guest that is not saved must start with the command line that a person would use.
func TestDevicesAreReachedOnlyInSavedGuests(t *testing.T) {
	cfg := config(arch.All()[0], arch.Machine{Name: "m", Console: "ttyS0", Unsaved: []arch.Register{{Read: 1, Write: 2, Bytes: 4}}})
	for ram, want := range map[string]bool{"": false, "/ram": true} {
		cfg.RAM = ram
		argv, err := cfg.Argv()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(argv, "-qtest") != want {
			t.Errorf("memory %q: %v", ram, argv)
		}
	}
}
