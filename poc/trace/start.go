package trace

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/sys"
)

// Program is a program that is to be followed.
type Program struct {
	Path      string
	Args, Env []string
	Files     [3]uintptr // standard input, output and error
	// UID, if not 0, is the user that it runs as. Its group stays the same.
	UID uint32
	// Filter answers Stop to the calls at which the program must stop.
	Filter []Instruction
}

// filterSince is the first Linux release in which a filter's stop comes after the stop
// at a call's entry, so that the next stop is the call's end.
var filterSince = [2]int{4, 8}

// Start starts a program, which stops before its first instruction, for Follow. It also
// returns why there is no filter, or nil if the program has it: then it stops at the
// calls of the filter while it continues by Run. The filter needs CAP_SYS_ADMIN,
// because without that it would need no_new_privs, which a program can notice.
//
// The caller must hold runtime.LockOSThread.
func (s Program) Start(k *sys.Kernel) (pid int, unfiltered, err error) {
	if unfiltered = Orderly(); unfiltered != nil {
		pid, err = s.plain()
		return pid, unfiltered, err
	}
	b, err := s.prepare(k)
	if err != nil {
		return 0, nil, err
	}
	pid, err = b.start(&unfiltered)
	if err != nil {
		return 0, nil, fmt.Errorf("start %s: %w", s.Path, err)
	}
	return pid, unfiltered, nil
}

// Orderly returns why the stops of filters have another order on this kernel, or nil.
func Orderly() error {
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		return fmt.Errorf("the release of the kernel is not known: %w", err)
	}
	var release strings.Builder
	for _, char := range name.Release {
		if char == 0 {
			break
		}
		release.WriteByte(byte(char))
	}
	return orderly(release.String())
}

func orderly(release string) error {
	var have [2]int
	if n, _ := fmt.Sscanf(release, "%d.%d", &have[0], &have[1]); n != len(have) {
		return fmt.Errorf("the release of the kernel is %q", release)
	}
	if have[0] < filterSince[0] || have[0] == filterSince[0] && have[1] < filterSince[1] {
		return fmt.Errorf("the stops of filters before Linux %d.%d have another order, and this is %s", filterSince[0], filterSince[1], release)
	}
	return nil
}

// plain starts the program without a filter.
func (s Program) plain() (int, error) {
	attributes := &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
	if s.UID != 0 {
		attributes.Credential = &syscall.Credential{Uid: s.UID, Gid: uint32(os.Getgid())}
	}
	pid, err := syscall.ForkExec(s.Path, s.Args, &syscall.ProcAttr{Env: s.Env, Files: s.Files[:], Sys: attributes})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", s.Path, err)
	}
	return pid, nil
}

// setParentDeathSignal is PR_SET_PDEATHSIG (include/uapi/linux/prctl.h).
const setParentDeathSignal = 1

// step is a call that a new process makes before it executes its program.
type step struct {
	call [6]uintptr // number and arguments
	name string
}

// birth is a new process. It makes its steps and nothing else, because nothing of the Go
// runtime works in it. It tells a pipe which of them failed, and goes on after the first
// step only, which installs the filter.
type birth struct {
	clone [6]uintptr
	steps []step
	exit  uintptr
	pipe  [2]int
	told  [2]uint32 // index of a step that failed, and its errno
	// keep holds what the steps refer to by address.
	keep []interface{}
}

// prepare makes the steps. Files and the user are set before the program runs, and the
// filter before the user, who may not install one.
func (s Program) prepare(k *sys.Kernel) (*birth, error) {
	b := &birth{exit: uintptr(k.Syscall.Exit)}
	b.clone[0] = uintptr(k.Syscall.Clone)
	for i, argument := range k.CloneOrder {
		if argument == abi.CloneFlags {
			b.clone[1+i] = uintptr(k.Signal.Chld)
		}
	}
	path, err := syscall.BytePtrFromString(s.Path)
	if err != nil {
		return nil, err
	}
	args, err := syscall.SlicePtrFromStrings(s.Args)
	if err != nil {
		return nil, err
	}
	env, err := syscall.SlicePtrFromStrings(s.Env)
	if err != nil {
		return nil, err
	}
	filter := programOf(s.Filter)
	b.keep = []interface{}{path, args, env, filter}
	b.step("seccomp", uintptr(k.Syscall.Seccomp), setModeFilter, 0, uintptr(unsafe.Pointer(filter)))
	for i, file := range s.Files {
		if file != uintptr(i) {
			b.step("dup3", syscall.SYS_DUP3, file, uintptr(i), 0)
		}
	}
	if s.UID != 0 {
		uid := uintptr(s.UID)
		b.step("setgroups", syscall.SYS_SETGROUPS, 0, 0)
		b.step("setresuid", uintptr(k.Syscall.Setresuid), uid, uid, uid)
	}
	b.step("prctl(PR_SET_PDEATHSIG)", uintptr(k.Syscall.Prctl), setParentDeathSignal, uintptr(syscall.SIGKILL))
	b.step("ptrace(PTRACE_TRACEME)", syscall.SYS_PTRACE, syscall.PTRACE_TRACEME)
	b.step("execve", syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0])))
	return b, nil
}

func (b *birth) step(name string, call ...uintptr) {
	s := step{name: name}
	copy(s.call[:], call)
	b.steps = append(b.steps, s)
}

// start makes the process and hears what failed in it.
func (b *birth) start(unfiltered *error) (int, error) {
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	if err := syscall.Pipe2(b.pipe[:], syscall.O_CLOEXEC); err != nil {
		return 0, fmt.Errorf("make a pipe: %w", err)
	}
	pid, errno := b.fork()
	syscall.Close(b.pipe[1])
	defer syscall.Close(b.pipe[0])
	if errno != 0 {
		return 0, fmt.Errorf("clone: %w", errno)
	}
	defer runtime.KeepAlive(b)
	for {
		var told [8]byte
		n, err := syscall.Read(b.pipe[0], told[:])
		if err == syscall.EINTR {
			continue
		}
		if n != len(told) { // the end: the program was executed
			return int(pid), nil
		}
		at := b.steps[native().Uint32(told[:4])]
		failed := fmt.Errorf("%s: %w", at.name, syscall.Errno(native().Uint32(told[4:])))
		if at.name != b.steps[0].name {
			_, _ = syscall.Wait4(int(pid), nil, 0, nil)
			return 0, failed
		}
		*unfiltered = failed
	}
}

// fork makes the process. In the process it does not return.
//
//go:nosplit
//go:norace
func (b *birth) fork() (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(b.clone[0], b.clone[1], b.clone[2], b.clone[3], b.clone[4], b.clone[5], 0)
	if errno != 0 || r != 0 {
		return r, errno
	}
	for i := 0; i < len(b.steps); i++ {
		c := &b.steps[i].call
		_, _, errno = syscall.RawSyscall6(c[0], c[1], c[2], c[3], c[4], c[5], 0)
		if errno == 0 {
			continue
		}
		b.told[0], b.told[1] = uint32(i), uint32(errno)
		syscall.RawSyscall(syscall.SYS_WRITE, uintptr(b.pipe[1]), uintptr(unsafe.Pointer(&b.told)), unsafe.Sizeof(b.told))
		if i > 0 {
			break
		}
	}
	for {
		syscall.RawSyscall(b.exit, 1, 0, 0)
	}
}

// native returns the byte order of this machine.
func native() binary.ByteOrder {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}
