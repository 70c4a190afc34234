// Package cases holds programs that get no thread, each in a way that people met in the
// field, and tests what diagnose says of them. The same tests run on this host and, as
// the first process, in a guest.
package cases
