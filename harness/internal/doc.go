// Package internal has no code. Its rooms are fakes for tests.
//
// Its rooms:
//
//	fakeqemu  a scripted guest behind a scripted QEMU
//
// The tests of every wing above may import it, except those of matrix and fixtures. No program
// may.
package internal
