// Package diagnose says why a program on this host got no thread.
//
// It follows the program (watch), reads every limit when a call fails (census),
// runs the program's seccomp filters on the call (filter), and recognises the last
// words of the Go runtime (fatal). Judge then names the causes from that evidence
// alone. A Report tells them in English and Chinese, or as JSON.
//
// Only commands may import it: it needs no cell, no guest and no kernel image. It
// imports matrix/arch for architectures, and poc for system calls and tracing.
package diagnose
