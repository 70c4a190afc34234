// Package source has no code. Its rooms lead from what somebody holds to a kernel that boots.
//
// Its rooms:
//
//	compiler    finds the compilers of kernels and of architectures without a Go port
//	debian      from a suite and a package name to a verified file
//	decompress  opens every compressed format that kernels and packages come in
//	intake      finds the kernel in a file, a package, a repository or the image of a disk
//	kernel      from a source of kernels to an image that QEMU boots
//	quarantine  reads hostile bytes in a process with bounds and without rights
//	remote      downloads a file by its URL, hash and size
//	signature   verifies signatures of archives, and refuses weak ones
//
// harness/cmd, harness/run, harness/machine and harness/guest may import this wing. It does
// not know who boots a kernel.
package source
