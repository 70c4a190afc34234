// Package prebuilt embeds the guest images that make dist wrote. The program then
// runs without a checkout and without a Go toolchain. Without the build tag dist
// the package is empty.
package prebuilt
