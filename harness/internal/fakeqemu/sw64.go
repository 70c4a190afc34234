package fakeqemu

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// sw64 begins the names of the scripts that play the public port of QEMU to sw64.
const sw64 = "sw64 "

// noAgent is the script of a guest in which stage 0 finds no agent to run. It restarts the
// machine, which prints so and spins.
const noAgent = sw64 + "has no agent"

// coreCPUs is the most that core3 has without KVM (MAX_CPUS_CORE3 in hw/sw64/core.h).
const coreCPUs = 32

// sw64System is the script of a board that boots a whole system from a disk.
const sw64System = sw64 + "boots a system"

// asSW64 does what that port does before its guest runs: it prints to its standard
// output, and ends with one line of error when something is missing.
func asSW64(name string) {
	refuse := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "qemu-system-sw64: "+format+"\n", args...)
		os.Exit(1)
	}
	value := func(flag string) string {
		at := slices.Index(os.Args, flag)
		if at < 0 || at+1 == len(os.Args) {
			refuse("%s is not given", flag)
		}
		return os.Args[at+1]
	}
	if machine, _, _ := strings.Cut(value("-machine"), ","); machine != "core3" && (machine != "core4" || name != "sw64 has core4") {
		refuse("unsupported machine type %s", machine)
	}
	if n, err := strconv.Atoi(value("-smp")); err != nil || n > coreCPUs {
		refuse("Invalid SMP CPUs %d. The max CPUs supported by machine 'core3' is %d", n, coreCPUs)
	}
	if name == sw64System {
		if slices.Contains(os.Args, "-kernel") || slices.Contains(os.Args, "-bios") || !strings.Contains(value("-drive"), "snapshot=on") {
			refuse("no virtual bios provided, or a disk that is written to: %q", os.Args)
		}
		return
	}
	switch name {
	case "sw64 without firmware":
		refuse("no core3-hmcode provided")
	case "sw64 cannot load":
		refuse("could not load kernel '%s'", value("-kernel"))
	}
	value("-initrd") // the board ignores it, but the harness must give it
	if words := value("-append"); !strings.Contains(words, "root=/dev/vda") || !strings.Contains(words, "init=/init") {
		refuse("the kernel is told no root: %s", words)
	}
	if device := value("-device"); device != "virtio-blk-pci,drive=root" {
		refuse("the disk is no %s", device)
	}
	_, path, _ := strings.Cut(value("-drive"), "file=")
	disk, err := os.ReadFile(path)
	if err != nil || len(disk) < 0x43a || !bytes.Equal(disk[0x438:0x43a], []byte{0x53, 0xef}) {
		refuse("the disk %s holds no ext4: %v", path, err)
	}
	fmt.Print("configure accelerator core3 start\nmachine init start\nreset all devices\n")
	if name == noAgent {
		alone()
	}
}

// alone plays stage 0 without an agent: it prints what it observed, everything twice, and
// restarts the machine.
func alone() {
	go monitor(noAgent)
	for range 2 {
		for i, r := range []wire.Record{
			{Kind: wire.KindObservation, Observation: &wire.Observation{Step: "mmap.anonymous-0x10", Ret: "0x4000000000"}},
			{Kind: wire.KindDone, Exit: &wire.Exit{}},
			{Kind: wire.KindObservation, Observation: &wire.Observation{Step: stage0.ExecveAgent, Errno: 2}},
		} {
			line, err := wire.EncodeJSON(wire.EarlyPrefix, uint32(i), r)
			if err != nil {
				panic(err)
			}
			os.Stdout.Write(line)
		}
	}
	fmt.Println("[    3.211913] reboot: Restarting system")
	select {} // although QEMU was started with -no-reboot
}
