// Package progress carries what the harness is doing, such as a download or a
// boot, to whoever shows it.
//
// Every wing of the harness but matrix may import it, and it imports nothing. A
// package that does work sends each Event to a Sink that it was given; the command
// decides how to show it.
package progress
