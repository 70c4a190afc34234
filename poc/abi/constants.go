package abi

import "reflect"

// Const is a constant and its name in C.
type Const struct {
	Name  string
	Value uint64 // 0 when the architecture does not define it
}

// Map holds the MAP_* flags of mmap.
type Map struct {
	Shared         uint64 `c:"MAP_SHARED"`
	Private        uint64 `c:"MAP_PRIVATE"`
	SharedValidate uint64 `c:"MAP_SHARED_VALIDATE"`
	Droppable      uint64 `c:"MAP_DROPPABLE"`
	Type           uint64 `c:"MAP_TYPE"` // mask of the types, which are the four above
	Fixed          uint64 `c:"MAP_FIXED"`
	Anonymous      uint64 `c:"MAP_ANONYMOUS"`
	GrowsDown      uint64 `c:"MAP_GROWSDOWN"`
	DenyWrite      uint64 `c:"MAP_DENYWRITE"`
	Executable     uint64 `c:"MAP_EXECUTABLE"`
	Locked         uint64 `c:"MAP_LOCKED"`
	NoReserve      uint64 `c:"MAP_NORESERVE"`
	Populate       uint64 `c:"MAP_POPULATE"`
	NonBlock       uint64 `c:"MAP_NONBLOCK"`
	Stack          uint64 `c:"MAP_STACK"`
	HugeTLB        uint64 `c:"MAP_HUGETLB"`
	Sync           uint64 `c:"MAP_SYNC"`
	FixedNoReplace uint64 `c:"MAP_FIXED_NOREPLACE"`
	Uninitialized  uint64 `c:"MAP_UNINITIALIZED"`
	Bit32          uint64 `c:"MAP_32BIT"`
	Above4G        uint64 `c:"MAP_ABOVE4G"`
	HugeShift      uint64 `c:"MAP_HUGE_SHIFT"`
}

// Prot holds the PROT_* bits of mmap and mprotect. PROT_NONE is 0 everywhere.
type Prot struct {
	Read      uint64 `c:"PROT_READ"`
	Write     uint64 `c:"PROT_WRITE"`
	Exec      uint64 `c:"PROT_EXEC"`
	Sem       uint64 `c:"PROT_SEM"`
	BTI       uint64 `c:"PROT_BTI"`
	MTE       uint64 `c:"PROT_MTE"`
	SAO       uint64 `c:"PROT_SAO"`
	GrowsDown uint64 `c:"PROT_GROWSDOWN"`
	GrowsUp   uint64 `c:"PROT_GROWSUP"`
}

// Madv holds the MADV_* values.
type Madv struct {
	DontNeed      uint64 `c:"MADV_DONTNEED"`
	Free          uint64 `c:"MADV_FREE"`
	HugePage      uint64 `c:"MADV_HUGEPAGE"`
	NoHugePage    uint64 `c:"MADV_NOHUGEPAGE"`
	PopulateRead  uint64 `c:"MADV_POPULATE_READ"`
	PopulateWrite uint64 `c:"MADV_POPULATE_WRITE"`
	Collapse      uint64 `c:"MADV_COLLAPSE"`
	GuardInstall  uint64 `c:"MADV_GUARD_INSTALL"`
	GuardRemove   uint64 `c:"MADV_GUARD_REMOVE"`
}

// Mcl holds the MCL_* flags of mlockall.
type Mcl struct {
	Current uint64 `c:"MCL_CURRENT"`
	Future  uint64 `c:"MCL_FUTURE"`
	OnFault uint64 `c:"MCL_ONFAULT"`
}

// Open holds the O_* flags that open and pipe2 share.
type Open struct {
	NonBlock uint64 `c:"O_NONBLOCK"`
	CloExec  uint64 `c:"O_CLOEXEC"`
}

// Rlimit holds the RLIMIT_* numbers, and RLIM_INFINITY of getrlimit and setrlimit.
// In prlimit64 infinity is ^0 everywhere. RLIMIT_CPU is not here: it is 0 on every
// architecture.
type Rlimit struct {
	FSize    uint64 `c:"RLIMIT_FSIZE"`
	Data     uint64 `c:"RLIMIT_DATA"`
	Stack    uint64 `c:"RLIMIT_STACK"`
	Core     uint64 `c:"RLIMIT_CORE"`
	RSS      uint64 `c:"RLIMIT_RSS"`
	NProc    uint64 `c:"RLIMIT_NPROC"`
	NoFile   uint64 `c:"RLIMIT_NOFILE"`
	MemLock  uint64 `c:"RLIMIT_MEMLOCK"`
	AS       uint64 `c:"RLIMIT_AS"`
	Infinity uint64 `c:"RLIM_INFINITY"`
}

// Signal holds the signal numbers that differ between architectures, and those that
// probes send.
type Signal struct {
	Kill uint64 `c:"SIGKILL"`
	Segv uint64 `c:"SIGSEGV"`
	Bus  uint64 `c:"SIGBUS"`
	Usr1 uint64 `c:"SIGUSR1"`
	Chld uint64 `c:"SIGCHLD"`
	Urg  uint64 `c:"SIGURG"`
	Prof uint64 `c:"SIGPROF"`
	Sys  uint64 `c:"SIGSYS"`
	Max  uint64 `c:"_NSIG"` // the highest valid number
}

// Syscall holds system call numbers.
type Syscall struct {
	Mmap          uint64 `c:"SYS_MMAP"`
	Munmap        uint64 `c:"SYS_MUNMAP"`
	Mprotect      uint64 `c:"SYS_MPROTECT"`
	Mremap        uint64 `c:"SYS_MREMAP"`
	Madvise       uint64 `c:"SYS_MADVISE"`
	Mincore       uint64 `c:"SYS_MINCORE"`
	Clone         uint64 `c:"SYS_CLONE"`
	Clone3        uint64 `c:"SYS_CLONE3"`
	Exit          uint64 `c:"SYS_EXIT"`
	ExitGroup     uint64 `c:"SYS_EXIT_GROUP"`
	Gettid        uint64 `c:"SYS_GETTID"`
	Tgkill        uint64 `c:"SYS_TGKILL"`
	Futex         uint64 `c:"SYS_FUTEX"`
	Prlimit64     uint64 `c:"SYS_PRLIMIT64"`
	Sigaltstack   uint64 `c:"SYS_SIGALTSTACK"`
	RtSigaction   uint64 `c:"SYS_RT_SIGACTION"`
	RtSigprocmask uint64 `c:"SYS_RT_SIGPROCMASK"`
	Seccomp       uint64 `c:"SYS_SECCOMP"`
	Prctl         uint64 `c:"SYS_PRCTL"`
	Ptrace        uint64 `c:"SYS_PTRACE"`
	Unshare       uint64 `c:"SYS_UNSHARE"`
	Setns         uint64 `c:"SYS_SETNS"`
	Personality   uint64 `c:"SYS_PERSONALITY"`
	MemfdCreate   uint64 `c:"SYS_MEMFD_CREATE"`
	Setresuid     uint64 `c:"SYS_SETRESUID"`
	PidfdOpen     uint64 `c:"SYS_PIDFD_OPEN"`
	PidfdGetfd    uint64 `c:"SYS_PIDFD_GETFD"`
	Pipe2         uint64 `c:"SYS_PIPE2"`
	SchedSetattr  uint64 `c:"SYS_SCHED_SETATTR"`
	Write         uint64 `c:"SYS_WRITE"`
	Wait4         uint64 `c:"SYS_WAIT4"`
	Execve        uint64 `c:"SYS_EXECVE"`
	Reboot        uint64 `c:"SYS_REBOOT"`
	Uname         uint64 `c:"SYS_UNAME"`
	Getrlimit     uint64 `c:"SYS_GETRLIMIT"`
}

// Named lists the flags in the order of the fields. Undefined ones have the value
// 0.
func (m Map) Named() []Const { return named(m) }

// Named lists the bits in the order of the fields. Undefined ones have the value 0.
func (p Prot) Named() []Const { return named(p) }

// Named lists the values in the order of the fields. Undefined ones have the value
// 0.
func (m Madv) Named() []Const { return named(m) }

// Named lists the flags in the order of the fields.
func (m Mcl) Named() []Const { return named(m) }

// Named lists the flags in the order of the fields.
func (o Open) Named() []Const { return named(o) }

// Named lists the numbers in the order of the fields.
func (r Rlimit) Named() []Const { return named(r) }

// Named lists the numbers in the order of the fields.
func (s Signal) Named() []Const { return named(s) }

// Named lists the numbers in the order of the fields. Undefined ones have the value
// 0.
func (s Syscall) Named() []Const { return named(s) }

func named(family interface{}) []Const {
	v := reflect.ValueOf(family)
	list := make([]Const, 0, v.NumField())
	for i := 0; i < v.NumField(); i++ {
		list = append(list, Const{Name: v.Type().Field(i).Tag.Get("c"), Value: v.Field(i).Uint()})
	}
	return list
}
