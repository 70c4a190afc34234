// Package stage0 names the steps of stage 0, the program without a runtime that
// every guest starts with, so that what generates it and what judges it agree.
package stage0

import (
	"fmt"

	"github.com/mapstack/conformance/poc/abi"
)

// Probe is the name that stage 0's transcript is filed under.
const Probe = "stage0"

// Agent is the program that stage 0 becomes when it is PID 1.
const Agent = "/agent"

// Steps that do not depend on a number.
const (
	Uname       = "uname"
	Auxv        = "auxv"
	MapReadOnly = "mmap.read-only"
	ReadOnly    = "touch.read-only.write"
	MapPages    = "mmap.pages"
	HalfPage    = "munmap.half-page"
	OnePage     = "munmap.page"
	FirstPage   = "touch.page.gone"
	NextPage    = "touch.next-page.read"
	Thread      = "thread"
	NotAThread  = "clone.without-sighand"
	Unknown     = "call.unknown"
	WouldBlock  = "futex.another-value"
	OldLimits   = "getrlimit.generic"
	ExecveAgent = "execve"
)

// Anonymous is MAP_ANONYMOUS of asm-generic, MIPS, and alpha with sw64.
func Anonymous() []uint64 { return []uint64{0x20, 0x800, 0x10} }

// Stacks is MAP_STACK of asm-generic, MIPS, and alpha with sw64.
func Stacks() []uint64 { return []uint64{0x20000, 0x40000, 0x80000} }

// Processes is RLIMIT_NPROC of asm-generic, and of MIPS, alpha and sw64.
func Processes() []uint64 { return []uint64{6, 8} }

// SignalSets is the bytes of a signal set for 64 signals, and for 128.
func SignalSets() []uint64 { return []uint64{8, 16} }

// Map is the mmap of private memory with a number for MAP_ANONYMOUS.
func Map(anonymous uint64) string { return fmt.Sprintf("mmap.anonymous-%#x", anonymous) }

// MapStack is the mmap of anonymous memory with a number for MAP_STACK.
func MapStack(stack uint64) string { return fmt.Sprintf("mmap.stack-%#x", stack) }

// Read, Write and Unmap are what is done with the mapping that a step made.
func Read(step string) string  { return "touch." + step + ".read" }
func Write(step string) string { return "touch." + step + ".write" }
func Unmap(step string) string { return "munmap." + step }

// After is a read of the mapping that a step made, once it is gone.
func After(step string) string { return "touch." + step + ".gone" }

// Process is a clone below a limit of zero that has a number for RLIMIT_NPROC.
func Process(limit uint64) string { return fmt.Sprintf("clone.limit-%d", limit) }

// SignalSet is a look at the blocked signals through a set of so many bytes.
func SignalSet(bytes uint64) string { return fmt.Sprintf("sigprocmask.%d", bytes) }

// PipeFlags is O_CLOEXEC|O_NONBLOCK of asm-generic, MIPS, and alpha with sw64.
func PipeFlags() []uint64 { return []uint64{0x80800, 0x80080, 0x200004} }

// Pipe is a pipe2 with these flags, as the Go runtime makes one.
func Pipe(flags uint64) string { return fmt.Sprintf("pipe2.flags-%#x", flags) }

// GenericGetrlimit is getrlimit of include/uapi/asm-generic/unistd.h. LoongArch
// has it in its old world (ABI 1.0) alone.
const GenericGetrlimit = 163

// AsksOldLimits reports whether GenericGetrlimit means something on an architecture: it
// numbers its calls as asm-generic does and has no getrlimit.
func AsksOldLimits(t abi.Table) bool { return t.Syscall.Getrlimit == 0 }

// assembled are the architectures whose instructions harness/guest/assembler encodes.
var assembled = []string{"alpha", "amd64", "arm64", "loong64", "mips64le", "sw64"}

// Unassembled returns why an architecture has no stage 0; "" if it has one.
func Unassembled(goarch string) string {
	for _, a := range assembled {
		if a == goarch {
			return ""
		}
	}
	return fmt.Sprintf("stage 0 has no instruction encodings for %s; its guests start the agent directly", goarch)
}
