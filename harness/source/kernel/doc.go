// Package kernel turns a source of kernels into an image that QEMU boots: it
// resolves a cell's kernel to packages, fetches them, and unwraps what a boot
// loader would have decompressed.
package kernel
