// Package wire holds everything that the host and the guest share. It has the
// records of a guest, the requests of a host, and the line framing of both.
//
// It compiles as Go 1.16 with the standard library only, because vendor toolchains
// build the guest side.
package wire
