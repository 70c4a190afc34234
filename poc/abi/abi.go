// Package abi holds, as data, what differs between architectures in the system
// calls of probes. It has the numbers of flags, errors, limits and calls, and the
// order of arguments. It reads and calls nothing, so a host can judge with the
// numbers that a probe of another architecture used.
//
// A number of zero means that the architecture does not define the constant. No
// constant kept here is zero on any architecture.
package abi

import "sync"

// Table holds the numbers of one architecture.
type Table struct {
	GOARCH  string
	Map     Map
	Prot    Prot
	Madv    Madv
	Mcl     Mcl
	Open    Open
	Rlimit  Rlimit
	Signal  Signal
	Syscall Syscall

	// CloneOrder is the order of the five arguments of the raw clone call.
	CloneOrder CloneOrder
	// GoThread holds the flags of the clone call with which the Go runtime makes a
	// thread.
	GoThread uint64
	// GoLosesCloneError is set if the Go runtime takes a failed clone for a
	// successful one. On riscv64 runtime.clone in sys_linux_riscv64.s stores zero in
	// the parent, in every release up to 1.26. The public port to sw64 ignores the
	// error flag.
	GoLosesCloneError bool
	// Clone3Since is the series of the first kernel with clone3, such as "6.12".
	// Empty means 5.3.
	Clone3Since string
	// MmapByPointer is set if mmap takes one argument, the address of its six
	// (arch/s390/kernel/syscall.c: old_mmap).
	MmapByPointer bool
	// WriteMayRead is set if some kernels make PROT_WRITE readable too and show that
	// in maps. Write-only pages are shadow stacks there
	// (arch/riscv/include/asm/mman.h of 7.0). POSIX allows it everywhere.
	WriteMayRead bool
	// MinSigStack is MINSIGSTKSZ, the smallest alternate signal stack, in bytes
	// (arch/*/include/uapi/asm/signal.h).
	MinSigStack int
	// SigStackSizeFirst is set if the size in struct stack_t comes before the flags
	// (arch/mips/include/uapi/asm/signal.h).
	SigStackSizeFirst bool

	errno map[string]int
	lacks map[Feature]string
}

// CloneArg names an argument of the raw clone call.
type CloneArg int

const (
	CloneFlags CloneArg = iota
	CloneStack
	CloneParentTID
	CloneChildTID
	CloneTLS
)

// CloneOrder lists the arguments of the raw clone call in their order.
type CloneOrder [5]CloneArg

// Lookup returns the table of a GOARCH. Its maps and slices must not be changed.
func Lookup(goarch string) (Table, bool) {
	for _, a := range architectures() {
		if a.goarch == goarch {
			return a.made(), true
		}
	}
	return Table{}, false
}

// tables keeps what made returned, by GOARCH: a judge looks a table up for every claim.
var tables sync.Map

// made returns the table, which must not be changed.
func (a architecture) made() Table {
	if t, known := tables.Load(a.goarch); known {
		return t.(Table)
	}
	t, _ := tables.LoadOrStore(a.goarch, a.table())
	return t.(Table)
}

// All returns every table, sorted by GOARCH.
func All() []Table {
	var all []Table
	for _, a := range architectures() {
		all = append(all, a.made())
	}
	return all
}

// architecture makes its table on demand, because most callers want only one of the
// nine.
type architecture struct {
	goarch string
	build  func() Table
}

func (a architecture) table() Table {
	t := a.build()
	t.GOARCH = a.goarch
	return t
}

// architectures are sorted by name.
func architectures() []architecture {
	return []architecture{
		{"alpha", alpha}, {"amd64", amd64}, {"arm64", arm64}, {"loong64", loong64}, {"mips64le", mips64le},
		{"ppc64le", ppc64le}, {"riscv64", riscv64}, {"s390x", s390x}, {"sw64", sw64},
	}
}

// Errno returns the number of an error by its name ("EAGAIN"), 0 if the
// architecture does not define it. EWOULDBLOCK and ENOTSUP are not in the table:
// they equal EAGAIN and EOPNOTSUPP everywhere.
func (t Table) Errno(name string) int { return t.errno[name] }

// ErrnoName returns the name of an error number, "" if it has none.
func (t Table) ErrnoName(number int) string {
	name := ""
	for n, v := range t.errno {
		// No table has two names for one number. If one is ever added, the order
		// keeps the answer the same.
		if v == number && (name == "" || n < name) {
			name = n
		}
	}
	return name
}

func errnos(sets ...map[string]int) map[string]int {
	// Internal to the kernel, but mmap of 6.16 to 7.0 returns it for MAP_DROPPABLE
	// on 32-bit kernels (include/linux/errno.h).
	all := map[string]int{"ENOTSUPP": 524}
	for _, set := range sets {
		for name, number := range set {
			all[name] = number
		}
	}
	return all
}
