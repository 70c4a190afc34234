// Package prebuilt is the guest images inside a mapstack that make dist made: it
// runs where there is neither a checkout nor a Go toolchain. Without the tag dist
// it is empty.
package prebuilt
