// Package kernel provides the kernel image that QEMU boots. It resolves a cell's
// kernel to packages, fetches them, and decompresses the kernel as a boot loader
// would.
package kernel
