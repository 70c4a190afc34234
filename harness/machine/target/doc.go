// Package target runs probes where a kernel under test is. This is a QEMU guest, a system
// that QEMU boots from its disk, this system, one that ssh reaches, or a user-mode emulator.
// If a target misbehaves, the error is a *failure.Failure.
package target
