// Package machine has no code. Its rooms are the places where probes run, and what these need.
//
// Its rooms:
//
//	console     reads a console: frames, crashes of the kernel, a bounded log
//	diskreader  reads, in a guest, disks that no library here reads
//	qemu        starts a QEMU machine, talks to it, and makes sure that it ends
//	target      runs probes in a guest, in a booted or running system, or under an emulator
//	toolbox     finds a QEMU for an architecture, in PATH or in Debian packages
//
// Only harness/cmd and harness/run may import this wing. It does not know who runs it.
package machine
