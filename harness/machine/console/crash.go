package console

import "strings"

// Kind is a kind of crash.
type Kind string

const (
	Panic  Kind = "panic"
	Oops   Kind = "oops"
	Lockup Kind = "lockup"
	NoInit Kind = "no-init" // the kernel could not start our agent
)

// Crash is the sign of a kernel's death on the console.
type Crash struct {
	Kind Kind
	Line string // the console line that shows it
}

// gaveUp is in the panic of a kernel whose first process ended with status 2: do_exit in
// kernel/exit.c of 4.19 to 7.3 prints the status as wait(2) tells it.
const gaveUp = "Attempted to kill init! exitcode=0x00000200"

// GaveUp reports whether the kernel died because its first process ended as a Go program does
// that cannot go on. No signal killed that process.
func (c Crash) GaveUp() bool { return strings.Contains(c.Line, gaveUp) }

// crashes are matched in order. Each may be anywhere in a line, since not every kernel
// prints time stamps. Every false alarm becomes a line in testdata.
var crashes = []struct {
	text string
	kind Kind
}{
	{"No working init found", NoInit},
	{"VFS: Unable to mount root fs", NoInit},
	{"Failed to execute /init", NoInit},
	{"Requested init /init failed", NoInit},
	{"Attempted to kill init!", Panic},
	{"Kernel panic - not syncing", Panic},
	{"kernel BUG at ", Oops},
	{"Unable to handle kernel ", Oops},     // arm64, riscv, loongarch, s390
	{"BUG: unable to handle ", Oops},       // x86
	{"BUG: Unable to handle kernel", Oops}, // powerpc
	{"BUG: kernel NULL pointer", Oops},     // x86, powerpc
	{"general protection fault", Oops},
	{"Internal error: Oops", Oops},
	{"Oops: ", Oops},
	{"Oops[#", Oops}, // mips, loongarch
	{"soft lockup - CPU#", Lockup},
	{"hard LOCKUP", Lockup},
	{"blocked for more than ", Lockup},
}

// innocent texts mark lines that name a crash and report none.
var innocent = []string{
	"Command line:", // it contains oops=panic
	"unknown parameters",
	"panic=",
	"softlockup_",
	"general protection fault ip:", // the fault of a user program: traps: name[pid] general protection fault ip:
	"traps: ",
}

// match returns the crash that a line reports. Its Kind is empty for none.
func match(line string) Crash {
	for _, c := range crashes {
		if !strings.Contains(line, c.text) {
			continue
		}
		for _, i := range innocent {
			if strings.Contains(line, i) {
				return Crash{}
			}
		}
		return Crash{Kind: c.kind, Line: line}
	}
	return Crash{}
}
