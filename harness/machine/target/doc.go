// Package target runs probes where a kernel under test is: in a QEMU guest, in a system
// that QEMU boots from its disk, in this system, in one that ssh reaches, or under a
// user-mode emulator. If a target misbehaves, the error is a *failure.Failure.
package target
