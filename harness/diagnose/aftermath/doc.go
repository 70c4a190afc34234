// Package aftermath says why a program that has ended got no thread, from the words that
// it or the kernel left in a log. It weighs each cause by what a host shows now: the
// host that it runs on, or another one whose facts were written to a file.
package aftermath
