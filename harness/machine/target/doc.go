// Package target runs probes where a kernel under test is: in a QEMU guest, in
// this system, in one that ssh reaches, or under a user-mode emulator. When one
// misbehaves, the error is a *failure.Failure.
package target
