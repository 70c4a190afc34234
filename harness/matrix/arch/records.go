package arch

import (
	"debug/elf"

	"github.com/mapstack/conformance/harness/matrix/release"
)

// All returns every record, in a fixed order.
func All() []Record {
	return []Record{
		{
			GOARCH: "amd64", GOENV: []string{"GOAMD64=v1"}, Debian: "amd64", Uname: "x86_64", Kbuild: "x86_64",
			QEMU: "x86_64", Package: "qemu-system-x86",
			Aliases: []string{"x86-64"},
			ELF:     elf.EM_X86_64, Slowness: 1,
			Machines: map[string]Machine{
				// q35 rather than microvm: microvm cannot power off.
				"": {Name: "q35", CPU: "max", Costly: fastStrings, Console: "ttyS0", MaxCPUs: 64, Params: []Param{untestedTimer}},
				"la57": {Name: "q35", CPU: "max,la57=on", Costly: fastStrings, Console: "ttyS0", MaxCPUs: 64, FiveLevels: true,
					Params: []Param{untestedTimer}},
			},
		},
		{
			GOARCH: "arm64", GOENV: []string{"GOARM64=v8.0"}, Debian: "arm64", Uname: "aarch64", Kbuild: "arm64",
			QEMU: "aarch64", Package: "qemu-system-arm",
			ELF: elf.EM_AARCH64, Slowness: 2,
			Machines: map[string]Machine{
				"": {Name: "virt", CPU: "max", Costly: signedPointers, Console: "ttyAMA0", MaxCPUs: 64},
				// A CPU with LPA2 has another number for pages of 4 and 16 KiB in
				// ID_AA64MMFR0_EL1. Kernels before 5.12 take it for none, and stop before
				// they print anything (__enable_mmu, arch/arm64/kernel/head.S). None before
				// 6.9 uses LPA2.
				"nolpa2": {Name: "virt", CPU: "max,lpa2=off", Costly: signedPointers, Console: "ttyAMA0", MaxCPUs: 64, Before: release.Release{Major: 5, Minor: 12}},
			},
		},
		{
			GOARCH: "riscv64", GOENV: []string{"GORISCV64=rva20u64"}, Debian: "riscv64", Uname: "riscv64", Kbuild: "riscv",
			QEMU: "riscv64", Package: "qemu-system-riscv",
			ELF: elf.EM_RISCV, Slowness: 2,
			Machines: map[string]Machine{
				// Nothing here reads control transfer records, and they cost a helper call
				// for every branch (measured: half of the time of a probe).
				"": {Name: "virt", CPU: "max,smctr=off,ssctr=off", Costly: vectors, Console: "ttyS0", MaxCPUs: 64},
			},
		},
		{
			GOARCH: "loong64", Debian: "loong64", Uname: "loongarch64", Kbuild: "loongarch",
			QEMU: "loongarch64", Package: "qemu-system-misc",
			Aliases: []string{"la64", "loongarch"},
			ELF:     elf.EM_LOONGARCH, Slowness: 2,
			Machines: map[string]Machine{
				"": {Name: "virt", CPU: "max", Console: "ttyS0", MaxCPUs: 64,
					TimerInput: 11, // TI of ESTAT.IS
					Params: []Param{{"initcall_blacklist=i8042_init",
						"under direct boot no ACPI table says that the keyboard controller is absent, and the driver oopses in i8042_flush"}}},
			},
		},
		{
			GOARCH: "mips64le", GOENV: []string{"GOMIPS64=hardfloat"}, Debian: "mips64el", Uname: "mips64", Kbuild: "mips",
			QEMU: "mips64el", Package: "qemu-system-mips",
			ELF: elf.EM_MIPS, Slowness: 3,
			Machines: map[string]Machine{
				// QEMU's board takes two CPUs at most. The CPU must know MIPS64 R2, as Debian's
				// kernels do. QEMU's 5KEf does, but QEMU ignores what is written to its FCSR
				// (the model has no CP1_fcr31_rw_bitmask). So Linux cannot restore FCSR, and a
				// program that is preempted between a comparison and its branch goes on with
				// the condition of another program. One Go program of some 50,000 dies of
				// that at its start ("fatal error: float64nan3").
				"malta": {Name: "malta", CPU: "MIPS64R2-generic", Console: "ttyS0", MaxCPUs: 2,
					Params: []Param{{"nokaslr",
						"where 6.12 moves itself, read(2) into a page that may not be written is an oops in __raw_copy_from_user instead of EFAULT (each time; never where it stays)"}}},
				// With two CPUs under TCG the guest soft-locks in the first child.
				"loongson3": {Name: "loongson3-virt", CPU: "Loongson-3A4000", Console: "ttyS0", MaxCPUs: 1,
					// QEMU's CPU writes CP0 Compare while its main loop may be expiring the
					// timer, and then an interrupt is lost. The next one comes when Count,
					// 32 bits at 400 MHz, has wrapped: 10.7 s later (seen up to four times
					// in a run). A clock that counts instructions has no such race.
					Icount:  "shift=1",
					Unsaved: liointc(0x3ff01400),
					Params: []Param{{"nokaslr",
						"QEMU puts the initramfs right behind a kernel that ends above 64 MiB, and the kernel moves itself up by its own length, onto the initramfs (seen on 6.12)"}}},
			},
		},
		{
			GOARCH: "ppc64le", GOENV: []string{"GOPPC64=power8"}, Debian: "ppc64el", Uname: "ppc64le", Kbuild: "powerpc",
			QEMU: "ppc64", Package: "qemu-system-ppc",
			Aliases: []string{"powerpc64le"},
			ELF:     elf.EM_PPC64, Slowness: 2,
			Machines: map[string]Machine{
				// VOF is firmware inside QEMU. SLOF, the default, is Forth run by TCG and
				// takes as long as the kernel's whole boot (measured: 7.8 s to the agent,
				// 3.8 s with VOF).
				// With two CPUs a restored guest hangs repeatedly, most of a minute each
				// time (QEMU 10.0). With XICS instead of XIVE it spins.
				"": {Name: "pseries", Options: "x-vof=on", CPU: "power10", Console: "hvc0", MaxCPUs: 1},
			},
		},
		{
			GOARCH: "alpha", Uname: "alpha", Kbuild: "alpha",
			QEMU: "alpha", Package: "qemu-system-misc",
			ELF: 0x9026, Slowness: 2,
			GNU: "alpha-linux-gnu",
			Machines: map[string]Machine{
				"": {Name: "clipper", Console: "ttyS0", MaxCPUs: 4,
					BootOnly: "QEMU saves neither the Typhoon chip set, which enables the interrupts, nor its timers, and a restored guest never answers; it boots in a second"},
				// For a test of a guest image on a disk, which sw64's boards use.
				"disk": {Name: "clipper", Console: "ttyS0", MaxCPUs: 4, Disk: "virtio-blk-pci",
					BootOnly: "as without the disk"},
			},
		},
		{
			GOARCH: "sw64", Uname: "sw_64", Kbuild: "sw_64", QEMU: "sw64",
			Aliases: []string{"sunway", "shenwei"},
			ELF:     0x9916, OtherELF: []elf.Machine{268}, Slowness: 4,
			Supplied: true,
			Machines: map[string]Machine{
				// The board of QEMU's public fork (6.2) loads no initramfs; that of later
				// trees does. So the guest image is also given as a disk.
				// MAX_CPUS_CORE3 in hw/sw64/core.h is 32 without KVM.
				"": {Name: "core3", Firmware: "core3-hmcode", DiskFirmware: "uefi-bios-sw", Console: "ttyS0", MaxCPUs: 32, Disk: "virtio-blk-pci", BootOnly: unsavedSW64,
					Stalls: "QEMU's public port gives core3 no timer if it was configured with --enable-kvm; configure it with --disable-kvm"},
				"core4": {Name: "core4", Firmware: "core4-hmcode", DiskFirmware: "uefi-bios-sw", Console: "ttyS0", MaxCPUs: 64, Disk: "virtio-blk-pci", BootOnly: unsavedSW64},
			},
		},
		{
			GOARCH: "s390x", Debian: "s390x", Uname: "s390x", Kbuild: "s390",
			QEMU: "s390x", Package: "qemu-system-s390x",
			ELF: elf.EM_S390, Big: true, Slowness: 2,
			Machines: map[string]Machine{
				// ttyS0 does not exist here. The SCLP line-mode console does not take input
				// byte by byte.
				"": {Name: "s390-ccw-virtio", CPU: "max", Console: "ttysclp0", MaxCPUs: 64},
			},
		},
	}
}

// liointc returns the registers of Loongson's local interrupt controller: the route of each
// of 32 interrupts, and which of them are enabled. QEMU has no VMState for it, so a restored
// guest would never hear its console.
func liointc(base uint64) []Register {
	var registers []Register
	for i := range uint64(32) {
		registers = append(registers, Register{base + i, base + i, 1})
	}
	return append(registers, Register{base + 0x24, base + 0x28, 4})
}

// unsavedSW64 is why guests of sw64 are booted. It is a property of the emulators that are
// known, and not left to whether a migration to a file happens to be refused.
const unsavedSW64 = "QEMU's public port to sw64 saves no registers of its CPUs (an empty description in target/sw64), so a restored guest would not be the one that was saved"

// untestedTimer is a parameter of every amd64 machine.
var untestedTimer = Param{"no_timer_check",
	"under TCG on a busy host the boot-time test of the timer interrupt fails by chance, and the kernel panics (seen on 6.12); KVM guests skip it by themselves"}

// fastStrings are properties of amd64's CPUs. A kernel that is told of fast strings clears a
// page with 4,096 steps of one instruction instead of 512, and TCG makes a store of its own
// of each step (measured: 7% of newosproc).
const fastStrings = "erms=off,fsrm=off"

// signedPointers is a property of arm64's CPUs. Distributions' kernels sign and check the
// return address of every function, and TCG computes each signature (measured: 25 % of
// newosproc and of mapstack, with the cheapest of QEMU's algorithms). On a CPU without it, the
// same instructions do nothing.
const signedPointers = "pauth=off"

// vectors are a property of riscv64's CPUs. The Go runtime and the kernel copy, clear and
// compare memory by vector instructions where there are any, and TCG does one element at a
// time (measured: 30 to 45 % of newosproc, mapstack and cloneflags).
const vectors = "v=off"
