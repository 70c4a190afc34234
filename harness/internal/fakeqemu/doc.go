// Package fakeqemu stands in for QEMU in the tests of the harness itself: a
// scripted guest behind a scripted QEMU. It shows how failures are handled, and
// makes thousands of guests cheap. No claim about a kernel is tested with it.
//
// Only tests may import it. A test binary becomes the fake when it starts itself
// with Prefix and its TestMain calls Play.
package fakeqemu
