// Package diagnose says why a program on this host got no thread. Judge names the causes
// from what its rooms observed, and from that alone. A Report tells them in English and
// Chinese, or as JSON.
//
// Its rooms:
//
//	aftermath  judges a program that has ended, by its words in a log
//	cases      holds programs that get no thread, and tests what is said of them
//	census     reads how much of everything that can refuse a thread is used
//	fatal      recognises the texts with which the Go runtime ends a program
//	filter     runs seccomp filters on a system call, as the kernel does
//	rt0        says, before the Go runtime begins, which limit is too low for it
//	watch      follows a program by ptrace
//
// Only harness/cmd may import this wing. It runs on any host and knows no cell: it imports
// matrix/arch for architectures, and poc for system calls and tracing.
package diagnose
