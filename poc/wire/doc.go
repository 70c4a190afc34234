// Package wire is everything the host and the guest share: the records a guest
// emits, the requests a host sends, and the line framing both travel in.
//
// It compiles as Go 1.16 with the standard library only, because vendor
// toolchains build the guest side.
package wire
