// Package rt0 is the entry of mapstack before the Go runtime, in assembler. Where a limit
// leaves less than a Go program needs to begin, the runtime would end with words of its own.
// The entry says which limit it is, and exits with 69.
//
// Only a program that is linked with -E _rt0_mapstack has this entry; see the Makefile.
package rt0

import "golang.org/x/sys/unix"

// Limit is a resource limit below which mapstack cannot begin.
type Limit struct {
	Resource uint64 // RLIMIT_*
	// Enough is the least soft limit with which mapstack begins and watches a program, in
	// the unit of the resource.
	Enough uint64
	Says   string // for the user, with the end of the line
}

// count is for the assembler, which cannot ask for the length.
const count = 4

// Limits are read by the assembler, which needs all of it to be laid out by the linker.
// Each is what was measured for the process that watches a program of 3,000 threads, with
// Go 1.26 on amd64, and a margin.
var Limits = [count]Limit{
	// 1,347,968 KiB. The runtime reserves 1 GiB for its own tables, on every 64-bit
	// architecture, and 64 MiB for each arena. It can do with less: it begins at 900,000
	// KiB, and not at 1,200,000.
	{unix.RLIMIT_AS, 1536 << 20, "mapstack: it cannot work here, because RLIMIT_AS (ulimit -v) is below the 1572864 KiB of addresses " +
		"that it needs. To set this limit for a program alone: mapstack diagnose -- sh -c 'ulimit -v 100000; exec CMD'\n"},
	// 100,388 KiB: tables and stacks of the runtime, and what watch keeps.
	{unix.RLIMIT_DATA, 160 << 20, "mapstack: it cannot work here, because RLIMIT_DATA (ulimit -d) is below the 163840 KiB of memory " +
		"that it needs. To set this limit for a program alone: mapstack diagnose -- sh -c 'ulimit -d 100000; exec CMD'\n"},
	// The runtime takes 64 KiB of the first stack for granted (rt0_go), and arguments and
	// environment may fill a quarter of the limit.
	{unix.RLIMIT_STACK, 128 << 10, "mapstack: it cannot work here, because RLIMIT_STACK (ulimit -s) is below the 128 KiB of stack " +
		"that it needs. To set this limit for a program alone: mapstack diagnose -- sh -c 'ulimit -s 64; exec CMD'\n"},
	// Standard input, output and error, two of the runtime's poller, and files of /proc.
	{unix.RLIMIT_NOFILE, 8, "mapstack: it cannot work here, because RLIMIT_NOFILE (ulimit -n) is below the 8 descriptors " +
		"that it needs. To set this limit for a program alone: mapstack diagnose -- sh -c 'ulimit -n 5; exec CMD'\n"},
}

// threads is how many threads the entry makes for a moment, each by the one before. The Go
// runtime makes five or six when it begins; the watcher of a program is seven tasks.
const threads = 6

// threadFlags are those of a thread of the Go runtime, so that what refuses its threads
// refuses these. With CLONE_VFORK the thread that makes another waits for its end; so all of
// them use one stack, and need none of it.
//
//lint:ignore U1000 The assembler uses it.
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM |
	unix.CLONE_THREAD | unix.CLONE_VFORK

// again is the error of clone where a limit on tasks is used up. After any other error the
// Go runtime begins: it may be one of CLONE_VFORK alone, as in emulators.
//
//lint:ignore U1000 The assembler uses it.
const again = -int(unix.EAGAIN)

// Crowded is what the entry says when there is no room for threads.
var Crowded = "mapstack: it cannot work here, because there is no room for the 6 threads that it needs. A limit on tasks is " +
	"used up or nearly so: RLIMIT_NPROC (ulimit -u), pids.max, kernel.threads-max or kernel.pid_max. To see which one, " +
	"from where there is room: mapstack diagnose --pid PID\n"
