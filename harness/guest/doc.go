// Package guest has no code. Its rooms make what runs in a guest.
//
// Its rooms:
//
//	account         rebuilds the transcript of stage 0, and diagnoses a foreign ABI
//	assembler       assembles stage 0, which needs no toolchain and no runtime
//	guestimage      makes the guest image: stage 0, the agent and every probe
//	prebuilt        embeds the guest images that make dist wrote
//	runtimevariant  makes variants of the Go runtime as overlays for go build
//	toolchain       compiles guest programs with the installed Go, a supplied Go or gccgo
//
// harness/cmd, harness/run and harness/machine may import this wing. It does not know the
// machine that boots a guest.
package guest
