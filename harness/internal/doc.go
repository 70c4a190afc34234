// Package internal has no code. Its rooms are fakes and helpers for tests.
//
// Its rooms:
//
//	described  gives an inferred JSON schema the comments of the types
//	fakeqemu   a scripted guest behind a scripted QEMU
//
// The tests of every wing above may import it, except those of matrix and fixtures. No program
// may.
package internal
