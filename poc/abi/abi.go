// Package abi is, as data, what differs between architectures in the system
// calls that probes make: the numbers of flags, errors, limits and calls, and
// the order of arguments. It reads and calls nothing, so that a host can judge
// with the same numbers that a probe of another architecture used.
//
// A number of zero means that the architecture does not define the constant;
// none of the constants kept here is zero anywhere.
package abi

// Table is one architecture.
type Table struct {
	GOARCH  string
	Map     Map
	Prot    Prot
	Madv    Madv
	Mcl     Mcl
	Rlimit  Rlimit
	Signal  Signal
	Syscall Syscall

	// CloneOrder is the order of the five arguments of the raw clone call.
	CloneOrder CloneOrder
	// GoThread is the flags of the clone by which the Go runtime makes a thread.
	GoThread uint64
	// GoLosesCloneError: the Go runtime takes a clone that failed for one that
	// succeeded (runtime.clone in sys_linux_riscv64.s stores zero in the parent, in
	// every release up to 1.26; the public port to sw64 ignores the error flag).
	GoLosesCloneError bool
	// Clone3Since is the series of the first kernel with clone3 where that is not
	// 5.3, "6.12".
	Clone3Since string
	// MmapByPointer: mmap takes one argument, the address of its six
	// (arch/s390/kernel/syscall.c: old_mmap).
	MmapByPointer bool
	// WriteMayRead: some kernels make PROT_WRITE readable too and say so in
	// maps (arch/riscv/include/asm/mman.h of 7.0: write-only pages are shadow
	// stacks there). POSIX allows it everywhere.
	WriteMayRead bool
	// MinSigStack is MINSIGSTKSZ, the smallest alternate signal stack, bytes
	// (arch/*/include/uapi/asm/signal.h).
	MinSigStack int
	// SigStackSizeFirst: the size in struct stack_t stands before the flags
	// (arch/mips/include/uapi/asm/signal.h).
	SigStackSizeFirst bool

	errno map[string]int
	lacks map[Feature]string
}

// CloneArg is one argument of the raw clone call.
type CloneArg int

const (
	CloneFlags CloneArg = iota
	CloneStack
	CloneParentTID
	CloneChildTID
	CloneTLS
)

// CloneOrder says which argument stands in each place.
type CloneOrder [5]CloneArg

// Lookup returns the table of a GOARCH.
func Lookup(goarch string) (Table, bool) {
	for _, a := range architectures() {
		if a.goarch == goarch {
			return a.table(), true
		}
	}
	return Table{}, false
}

// All returns every table, sorted by GOARCH.
func All() []Table {
	var all []Table
	for _, a := range architectures() {
		all = append(all, a.table())
	}
	return all
}

// architecture makes its table on demand: most callers want one of the nine.
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
// architecture does not define it. EWOULDBLOCK and ENOTSUP are not names here:
// they are EAGAIN and EOPNOTSUPP everywhere.
func (t Table) Errno(name string) int { return t.errno[name] }

// ErrnoName returns the name of an error number, "" if it has none.
func (t Table) ErrnoName(number int) string {
	name := ""
	for n, v := range t.errno {
		// Two names for one number exist nowhere in the tables; the order makes
		// the answer the same if one is ever added.
		if v == number && (name == "" || n < name) {
			name = n
		}
	}
	return name
}

func errnos(sets ...map[string]int) map[string]int {
	// Kernel-internal, but mmap of 6.16 to 7.0 lets it out for MAP_DROPPABLE on
	// 32-bit kernels (include/linux/errno.h).
	all := map[string]int{"ENOTSUPP": 524}
	for _, set := range sets {
		for name, number := range set {
			all[name] = number
		}
	}
	return all
}
