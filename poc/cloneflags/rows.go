package cloneflags

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/poc/abi"
)

// Clone flags, the same on every architecture (include/uapi/linux/sched.h).
const (
	vm              = 0x100
	fs              = 0x200
	sighand         = 0x800
	pidFD           = 0x1000
	parent          = 0x8000
	thread          = 0x10000
	newNS           = 0x20000
	parentSetTID    = 0x100000
	childSetTID     = 0x1000000
	detached        = 0x400000
	sysVSem         = 0x40000
	setTLS          = 0x80000
	newIPC          = 0x8000000
	newUser         = 0x10000000
	newPIDNamespace = 0x20000000
	ioContext       = 0x80000000
	clearSighand    = 1 << 32
	intoCgroup      = 1 << 33
	autoReap        = 1 << 34
	noNewPrivs      = 1 << 35 // CLONE_NNP
	autoKill        = 1 << 36 // CLONE_PIDFD_AUTOKILL
	emptyMounts     = 1 << 37 // CLONE_EMPTY_MNTNS
	newTime         = 0x80    // these bits hold the exit signal in legacy clone

	// The flags of the Go runtime (runtime/os_linux.go: cloneFlags); on amd64 with
	// CLONE_SETTLS.
	goThread    = 0x50f00
	goThreadTLS = 0xd0f00
	// The flags of pthread_create in glibc and in musl, which adds CLONE_DETACHED.
	glibcThread = 0x3d0f00
	muslThread  = 0x7d0f00
)

// legacyRow is one call of clone.
type legacyRow struct {
	step  string
	flags uint64
}

func legacyRows(a abi.Table) []legacyRow {
	exit := a.Signal.Chld
	return []legacyRow{
		// The first row shows whether the limit is enforced at all.
		{"process", exit},
		{"go thread", goThread},
		{"go thread with tls", goThreadTLS},
		{"glibc thread", glibcThread},
		{"musl thread", muslThread},
		{"sighand without vm", sighand | exit},
		{"thread alone", thread | exit},
		{"thread with vm", thread | vm},
		{"thread with sighand", thread | sighand},
		{"thread with vm and sighand", thread | vm | sighand},
		{"vm", vm | exit},
		{"vm and sighand", vm | sighand | exit},
		{"io", ioContext | exit},
		{"parent", parent | exit},
		{"newns with fs", newNS | fs | exit},
		{"newuser with fs", newUser | fs | exit},
		{"thread in newuser", goThread | newUser},
		{"thread in newpid", goThread | newPIDNamespace},
		{"pidfd with detached", pidFD | detached | exit},
		{"pidfd with parent_settid", pidFD | parentSetTID | exit},
		{"pidfd of a thread", goThread | pidFD},
		// No signal has these numbers: the one after the last, and all bits.
		{"exit signal after the last", a.Signal.Max + 1},
		{"exit signal 255", 0xff},
		{"exit signal, the last", a.Signal.Max},
		{"exit signal 128", newTime}, // the bit of CLONE_NEWTIME
		{"exit signal 129", newTime | 1},
		{"every flag", 0xffffffff},
	}
}

// Indexes of the words of struct clone_args (include/uapi/linux/sched.h).
const (
	wFlags = iota
	wPidFD
	wChildTID
	wParentTID
	wExitSignal
	wStack
	wStackSize
	wTLS
	wSetTID
	wSetTIDSize
	wCgroup
	words
)

// Published sizes of struct clone_args, in bytes.
const (
	sizeVer0 = 64
	sizeVer1 = 80
	sizeVer2 = 88
)

// clone3Row is one call of clone3.
type clone3Row struct {
	step string
	args map[int]uint64 // by word; the others are 0
	size int            // as passed to the kernel, bytes
}

// memory returns the struct in a buffer of at least size bytes.
func (r clone3Row) memory() []uint64 {
	n := r.size/8 + 1
	if n < words {
		n = words
	}
	m := make([]uint64, n)
	for i, v := range r.args {
		m[i] = v
	}
	return m
}

func (r clone3Row) call() string {
	names := []string{"flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size",
		"tls", "set_tid", "set_tid_size", "cgroup"}
	var set []string
	for i := 0; i < r.size/8+1; i++ {
		if v, ok := r.args[i]; ok {
			name := fmt.Sprintf("word %d", i)
			if i < len(names) {
				name = names[i]
			}
			set = append(set, fmt.Sprintf("%s=%#x", name, v))
		}
	}
	return fmt.Sprintf("clone3({%s}, %d)", strings.Join(set, ", "), r.size)
}

// address stands for any address in user space. The call fails before anything is
// read or written there.
const address = 0x10000

func clone3Rows(a abi.Table, page int) []clone3Row {
	exit := a.Signal.Chld
	plain := map[int]uint64{wExitSignal: exit}
	with := func(set map[int]uint64) map[int]uint64 {
		m := map[int]uint64{wExitSignal: exit}
		for i, v := range set {
			m[i] = v
		}
		return m
	}
	huge := 1 << 17 // larger than any page
	return []clone3Row{
		{"clone3 process", plain, sizeVer2},
		{"clone3 go thread", map[int]uint64{wFlags: goThread}, sizeVer2},

		{"clone3 size 64", plain, sizeVer0},
		{"clone3 size 80", plain, sizeVer1},
		{"clone3 size 0", plain, 0},
		{"clone3 size 63", plain, sizeVer0 - 1},
		{"clone3 size beyond a page", plain, huge},
		{"clone3 size of a page", plain, page},
		{"clone3 size of a page and 8", plain, page + 8},
		{"clone3 zero tail", plain, sizeVer2 + 8*8},
		{"clone3 tail that is not zero", with(map[int]uint64{words + 7: 1}), sizeVer2 + 8*8},

		{"clone3 exit signal after the last", map[int]uint64{wExitSignal: a.Signal.Max + 1}, sizeVer2},
		{"clone3 exit signal 256", map[int]uint64{wExitSignal: 0x100}, sizeVer2},
		{"clone3 exit signal in the flags", map[int]uint64{wFlags: exit}, sizeVer2},

		{"clone3 detached", with(map[int]uint64{wFlags: detached}), sizeVer2},
		{"clone3 clear_sighand", with(map[int]uint64{wFlags: clearSighand}), sizeVer2},
		{"clone3 clear_sighand with sighand", with(map[int]uint64{wFlags: clearSighand | sighand | vm}), sizeVer2},
		{"clone3 newtime", with(map[int]uint64{wFlags: newTime}), sizeVer2},

		{"clone3 stack without size", with(map[int]uint64{wStack: address}), sizeVer2},
		{"clone3 size without stack", with(map[int]uint64{wStackSize: address}), sizeVer2},
		{"clone3 set_tid without size", with(map[int]uint64{wSetTID: address}), sizeVer2},
		{"clone3 size without set_tid", with(map[int]uint64{wSetTIDSize: 1}), sizeVer2},
		{"clone3 set_tid_size 33", with(map[int]uint64{wSetTID: address, wSetTIDSize: 33}), sizeVer2},
		{"clone3 thread with exit signal", with(map[int]uint64{wFlags: goThread}), sizeVer2},
		{"clone3 parent with exit signal", with(map[int]uint64{wFlags: parent}), sizeVer2},
		{"clone3 into_cgroup in a short struct", with(map[int]uint64{wFlags: intoCgroup}), sizeVer0},

		{"clone3 autoreap", map[int]uint64{wFlags: autoReap}, sizeVer2},
		{"clone3 bit 38", with(map[int]uint64{wFlags: 1 << 38}), sizeVer2},
		{"clone3 pidfd of a thread", map[int]uint64{wFlags: goThread | pidFD, wPidFD: address}, sizeVer2},
		{"clone3 nnp", with(map[int]uint64{wFlags: noNewPrivs}), sizeVer2},
		{"clone3 autokill alone", with(map[int]uint64{wFlags: autoKill}), sizeVer2},
		{"clone3 autokill", map[int]uint64{wFlags: pidFD | autoReap | noNewPrivs | autoKill, wPidFD: address}, sizeVer2},
		{"clone3 empty_mntns", with(map[int]uint64{wFlags: emptyMounts}), sizeVer2},
		{"clone3 into_cgroup", with(map[int]uint64{wFlags: intoCgroup}), sizeVer2},
		{"clone3 bit 63", with(map[int]uint64{wFlags: 1 << 63}), sizeVer2},
	}
}
