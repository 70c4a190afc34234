package qemu

import (
	"strconv"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// device is a part of the machine: its arguments for QEMU, and its parameters for the
// kernel. One function makes both, so that they cannot drift apart.
type device struct {
	arguments []Argument
	params    []arch.Param
}

// Descriptors in QEMU. The monitor's is the first after stdio, and qtest's follows.
const (
	monitorFD = 3
	devicesFD = 4
)

// console is the serial line, on QEMU's standard input and output.
func console(m arch.Machine) device {
	return device{
		arguments: []Argument{
			repeatable("-chardev", "id", property{"", "stdio"}, property{"id", "console"}, property{"signal", "off"}),
			unique("-serial", property{"", "chardev:console"}),
		},
		params: []arch.Param{{
			Value:  "console=" + m.Console,
			Reason: "the platform console is the one channel every kernel has built in",
		}},
	}
}

// ending makes QEMU exit when the guest's kernel dies or reboots.
func ending() device {
	return device{
		arguments: []Argument{option("-no-reboot")},
		params: []arch.Param{
			{Value: "panic=-1", Reason: "a dead kernel reboots at once, and -no-reboot turns that into QEMU's exit"},
			{Value: "oops=panic", Reason: "a kernel that oopsed proves nothing any more"},
		},
	}
}

// monitorSocket is the QMP monitor on a socket pair that QEMU inherits. It needs no
// path and no port, and nobody else can connect to it.
func monitorSocket() device {
	return device{arguments: []Argument{
		inherited("monitor", monitorFD),
		attended(unique("-mon", property{"chardev", "monitor"}, property{"mode", "control"})),
	}}
}

// qtestSocket gives access to device registers, see qtest.go.
func qtestSocket() device {
	return device{arguments: []Argument{
		inherited("devices", devicesFD),
		attended(unique("-qtest", property{"", "chardev:devices"})),
		attended(unique("-qtest-log", property{"", "none"})),
	}}
}

// inherited is a socket that QEMU gets from its parent, by its descriptor.
func inherited(id string, fd int) Argument {
	return attended(repeatable("-chardev", "id", property{"", "socket"}, property{"id", id}, property{"fd", strconv.Itoa(fd)}))
}

func attended(a Argument) Argument {
	a.attended = true
	return a
}

// initramfs holds the agent.
func initramfs(path string) device {
	return device{
		arguments: []Argument{file("-initrd", path)},
		params:    []arch.Param{{Value: "rdinit=/init", Reason: "the agent in the initramfs is PID 1"}},
	}
}

// savedMemory is the guest's memory in a file. A guest that is restored does not
// write to the file, and waits for Load.
func savedMemory(path string, mebibytes int, restore bool) device {
	var d device
	access := []property{{"share", "on"}}
	if restore {
		// The file is opened for reading alone, and the guest may write to its memory.
		access = []property{{"share", "off"}, {"readonly", "on"}, {"rom", "off"}}
		d.arguments = append(d.arguments, attended(unique("-incoming", property{"", "defer"})))
	}
	backend := []property{{"", "memory-backend-file"}, {"id", ram}, {"size", strconv.Itoa(mebibytes) + "M"}, {"mem-path", path}}
	d.arguments = append(d.arguments, repeatable("-object", "id", append(backend, access...)...))
	return d
}

// ram is the name of the guest's memory among QEMU's objects.
const ram = "ram"
