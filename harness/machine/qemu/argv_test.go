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

// The kernel under test is not perturbed: no parameter slips in, and each has
// a reason that the report shows.
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

// The public core3 board leaves -initrd aside without a word, later ones do not:
// the kernel must find the guest image either way, and the disk stays as it is.
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
		"comma in kernel":  func(c *Config) { c.Kernel = "/a,readonly=on" },
		"comma in memory":  func(c *Config) { c.RAM = "/a,b" },
		"comma in initrd":  func(c *Config) { c.Initrd = "/a,b" },
		"split parameter":  func(c *Config) { c.Machine.Console = "ttyS0 init=/bin/sh" },
		"no QEMU":          func(c *Config) { c.Prefix = nil },
		"no kernel":        func(c *Config) { c.Kernel = "" },
		"no CPU":           func(c *Config) { c.CPUs = 0 },
		"quoted parameter": func(c *Config) { c.Machine.Console = `tty"S0` },
	} {
		cfg := config(rec, rec.Machines[""])
		change(&cfg)
		if argv, err := cfg.Argv(); err == nil {
			t.Errorf("%s: %v", name, argv)
		}
	}
}

// A guest that is restored must not write to the memory of the next.
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

// A guest that is only booted is started as anyone would start it.
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
