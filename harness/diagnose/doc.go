// Package diagnose has these rooms:
//
//	census  reads how much of everything that can refuse a thread is used
//	fatal   recognises the texts with which the Go runtime ends a program
//	filter  runs seccomp filters on a system call, as the kernel does
//	watch   follows a program by ptrace
//
// Only harness/cmd may import this wing. It runs on any host and knows no cell.
package diagnose
