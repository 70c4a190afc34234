package qemu

import (
	"slices"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Drive is a disk that is attached to a machine. The guest finds it by its serial
// number, in /sys/block/*/serial.
type Drive struct {
	Serial   string // also its name in QEMU, so drives must have different ones
	Path     string
	Format   string // of the image: raw or qcow2
	Writable bool
}

// ProgramsSerial is the serial number of the disk with the programs.
const ProgramsSerial = "mapstack"

// virtioDisk is the model of disks, unless the machine's record names another.
const virtioDisk = "virtio-blk-pci"

// ownImage describes a disk that this project made: a file system without a table of
// partitions, which nobody writes to.
var ownImage = []property{{"format", "raw"}, {"readonly", "on"}}

// device returns the drive as a part of the machine.
func (d Drive) device() device {
	readonly := "on"
	if d.Writable {
		readonly = "off"
	}
	return disk(d.Serial, d.Path, []property{{"readonly", readonly}, {"format", d.Format}},
		[]property{{"", virtioDisk}}, property{"serial", d.Serial})
}

// rootDisk is the guest image as the root file system. It comes before all other
// disks, so that Linux calls it vda.
func rootDisk(model, path string) device {
	d := disk("root", path, ownImage, properties(model))
	d.params = []arch.Param{
		{Value: "root=/dev/vda", Reason: "the guest image is a disk too, where the machine does not load an initramfs"},
		{Value: "rootfstype=ext4", Reason: "the disk is an ext4 file system"},
		{Value: "ro", Reason: "nothing writes to the disk"},
		{Value: "init=/init", Reason: "the agent on the disk is PID 1"},
	}
	return d
}

// systemDisk is the disk that the machine boots from. What the system writes goes
// to a temporary file, which ends with QEMU.
func systemDisk(path, format string) device {
	return disk("system", path, []property{{"snapshot", "on"}, {"format", format}}, []property{{"", virtioDisk}}, property{"bootindex", "1"})
}

// programsDisk holds the agent and the probes for a system that boots from a disk.
func programsDisk(path string) device {
	return disk("programs", path, ownImage, []property{{"", virtioDisk}}, property{"serial", ProgramsSerial})
}

// disk attaches an image to the machine. content are the properties of the image, model
// and more those of the device in front of it.
func disk(id, path string, content, model []property, more ...property) device {
	return device{arguments: []Argument{
		repeatable("-drive", "id", slices.Concat([]property{{"if", "none"}, {"id", id}}, content, []property{{"file", path}})...),
		repeatable("-device", "drive", slices.Concat(model, []property{{"drive", id}}, more)...),
	}}
}
