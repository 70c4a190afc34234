package qemu

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Disk is a machine that boots what is on a disk, by its own firmware and boot
// loader. Nothing is written to the disk: what the system writes ends with QEMU.
type Disk struct {
	Prefix   []string // as in Config
	Machine  arch.Machine
	Accel    Accel
	CPUs     int
	Memory   int    // MiB
	Image    string // path of the disk's image
	Format   string // of the image: raw or qcow2
	Programs string // path of a file system that is attached read-only, with the serial number ProgramsSerial
	Firmware string // path of what the machine starts, empty for QEMU's own
}

// ProgramsSerial is how the disk with the programs is known: /sys/block/*/serial.
const ProgramsSerial = "mapstack"

// Argv returns QEMU's whole command line. It is a pure function of d.
func (d Disk) Argv() ([]string, error) {
	if len(d.Prefix) == 0 || d.Image == "" || d.Programs == "" || d.Format == "" || d.CPUs < 1 || d.Memory < 1 {
		return nil, errors.New("a machine with a disk needs a QEMU, the disk and its format, the disk of programs, CPUs and memory")
	}
	for _, path := range []string{d.Image, d.Programs, d.Firmware} {
		if strings.Contains(path, ",") {
			return nil, fmt.Errorf("path %q has a comma, which QEMU cannot take; use another name", path)
		}
	}
	c := Config{Machine: d.Machine, Accel: d.Accel}
	argv := append([]string{}, d.Prefix...)
	argv = append(argv,
		"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
		"-machine", strings.Join(c.machine(), ","), "-accel", c.accel(),
		"-smp", strconv.Itoa(d.CPUs), "-m", strconv.Itoa(d.Memory),
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", monitorFD), "-mon", "chardev=monitor,mode=control",
		"-drive", "if=none,id=system,snapshot=on,format="+d.Format+",file="+d.Image,
		"-device", "virtio-blk-pci,drive=system,bootindex=1",
		"-drive", "if=none,id=programs,format=raw,readonly=on,file="+d.Programs,
		"-device", "virtio-blk-pci,drive=programs,serial="+ProgramsSerial)
	if d.Firmware != "" {
		argv = append(argv, "-bios", d.Firmware)
	}
	if d.Machine.CPU != "" {
		argv = append(argv, "-cpu", d.Machine.CPU)
	}
	return argv, nil
}
