//go:build boot

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// sandboxes are what container engines make of a process, without such an engine.
var sandboxes = []struct {
	name string
	// enter changes the thread that then executes the program.
	enter []func() error
	attr  syscall.SysProcAttr
	least int // the number of claims that are decided
}{
	// Old profiles of Docker and its like refuse every call that they do not know.
	{name: "clone3 is refused with EPERM", enter: steps(refuseClone3("EPERM")), least: 150},
	// Newer ones make libcs fall back to clone.
	{name: "clone3 is refused with ENOSYS", enter: steps(refuseClone3("ENOSYS")), least: 150},
	{name: "root without capabilities", enter: steps(dropAll), least: 150},
	// What engines without root make, and what unshare(1) makes.
	{name: "root of a user namespace with users", enter: steps(mountProc), attr: namespaces(1 << 16), least: 150},
	{name: "root of a user namespace alone", enter: steps(mountProc), attr: namespaces(1), least: 150},
	{name: "root of a user namespace who may lock little", enter: steps(lowMemlock, mountProc), attr: namespaces(1), least: 150},
	{name: "an engine's defaults", enter: steps(dropAll, refuseClone3("ENOSYS")), least: 150},
	{name: "MemoryDenyWriteExecute by a filter", enter: steps(denyWriteExecute), least: 150},
	{name: "MemoryDenyWriteExecute by the kernel", enter: steps(denyByKernel), least: 150},
}

func steps(all ...func() error) []func() error { return all }

// namespaces gives a process new ones, in which so many users exist.
func namespaces(users int) syscall.SysProcAttr {
	ids := []syscall.SysProcIDMap{{Size: users}}
	return syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: users > 1}
}

// mountProc shows the processes of the new namespace.
func mountProc() error { return unix.Mount("proc", "/proc", "proc", 0, "") }

// dropAll takes all capabilities from this thread and from what it executes.
func dropAll() error {
	for c := range uintptr(64) {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err == unix.EINVAL {
			break
		} else if err != nil {
			return err
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// refuseClone3 makes clone3 fail for this thread and what it executes.
func refuseClone3(name string) func() error {
	return func() error {
		k, err := sys.Running()
		if err != nil {
			return err
		}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		filter := trace.Filter(trace.Error|uint32(k.Errno(name)), k.Syscall.Clone3)
		if _, errno := trace.Install(k, 0, filter); errno != 0 {
			return errno
		}
		return nil
	}
}

// denyWriteExecute is the filter of systemd's MemoryDenyWriteExecute (systemd.exec(5)): it
// refuses memory that is mapped writable and executable, and memory that becomes executable.
func denyWriteExecute() error {
	k, err := sys.Running()
	if err != nil {
		return err
	}
	const low = 16 + 2*8 // of the third argument in struct seccomp_data, little-endian
	both := uint32(k.Prot.Write | k.Prot.Exec)
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	jump := func(code uint16, value uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | code, K: value, Jt: yes, Jf: no}
	}
	answer := func(value uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: value} }
	filter := []unix.SockFilter{
		load(0),
		jump(unix.BPF_JEQ, uint32(k.Syscall.Mmap), 2, 0),
		jump(unix.BPF_JEQ, unix.SYS_MPROTECT, 4, 0),
		jump(unix.BPF_JEQ, unix.SYS_PKEY_MPROTECT, 3, 6),
		load(low), // mmap
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: both},
		jump(unix.BPF_JEQ, both, 2, 3),
		load(low), // mprotect
		jump(unix.BPF_JSET, uint32(k.Prot.Exec), 0, 1),
		answer(trace.Error | uint32(unix.EPERM)),
		answer(unix.SECCOMP_RET_ALLOW),
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}

// errAbsent is why a sandbox cannot be made on this kernel.
var errAbsent = errors.New("this kernel does not have it")

// denyByKernel is MemoryDenyWriteExecute where the kernel can do it, since Linux 6.3.
func denyByKernel() error {
	err := unix.Prctl(unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
	if err == unix.EINVAL {
		return errAbsent
	}
	return err
}

// lowMemlock limits locked memory as engines do. They run below the limit of the machine.
func lowMemlock() error {
	return unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 64 << 10, Max: 64 << 10})
}

// sandboxed names, in the environment of a copy of this program, its sandbox.
const sandboxed = "MAPSTACK_SANDBOX"

// exitAbsent is the exit status of a copy whose sandbox cannot be made on this kernel.
const exitAbsent = 77

// TestBootASandboxIsNotTheKernelsFault fails if a system is blamed for what a container
// engine forbids, or if what it forbids ends in an error. The program inside is built as
// make builds it: one with C code in it does not start where clone3 answers EPERM.
func TestBootASandboxIsNotTheKernelsFault(t *testing.T) {
	if name := os.Getenv(sandboxed); name != "" {
		err := enterAndExecute(name)
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, errAbsent) {
			os.Exit(exitAbsent)
		}
		os.Exit(1)
	}
	program := filepath.Join(t.TempDir(), "mapstack")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said(t, build)
	for _, s := range sandboxes {
		t.Run(s.name, func(t *testing.T) {
			out := t.TempDir()
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^TestBootASandboxIsNotTheKernelsFault$",
				program, "run", "--target", "native", "--out", out)
			cmd.Env = append(os.Environ(), sandboxed+"="+s.name)
			attr := s.attr
			attr.Pdeathsig = syscall.SIGTERM
			cmd.SysProcAttr = &attr
			text, err := cmd.CombinedOutput()
			code := cmd.ProcessState.ExitCode()
			if code == exitAbsent {
				t.Skip(string(text))
			}
			// Probes that can harm others do not run here, so the verdict is incomplete.
			if code != verdict.ExitIncomplete {
				t.Errorf("the run ended with %d: %v\n%s", code, err, text)
			}
			decidedJustly(t, reported(t, out), s.least)
		})
	}
}

// decidedJustly fails if a claim failed or ended in an error, or if few were decided.
func decidedJustly(t *testing.T, r report.Report, least int) {
	t.Helper()
	for _, o := range r.Outcomes {
		if o.Status == verdict.Fail || o.Status == verdict.Error {
			t.Errorf("%s %s %s: %s", o.Status, o.Level, o.Claim, o.Reason)
		}
		// Only a probe that was not started may leave a claim undecided.
		if o.Status == verdict.NotRun && !strings.Contains(o.Reason, "--destructive") && !strings.HasSuffix(o.Claim, "-000") {
			t.Errorf("%s %s %s: %s", o.Status, o.Level, o.Claim, o.Reason)
		}
	}
	counts := r.Verdict.Counts
	if decided := counts.Pass + counts.Fail; decided < least {
		t.Errorf("%d claims were decided, want %d: %+v", decided, least, counts)
	}
	t.Logf("%+v", counts)
}

// enterAndExecute makes this process that of a sandbox, which executes what the last
// arguments name. Capabilities and filters are a thread's own, so the thread that entered
// must be the one that executes.
func enterAndExecute(name string) error {
	runtime.LockOSThread()
	for _, s := range sandboxes {
		if s.name != name {
			continue
		}
		for _, enter := range s.enter {
			if err := enter(); err != nil {
				return fmt.Errorf("enter the sandbox: %w", err)
			}
		}
		argv := flag.Args()
		return syscall.Exec(argv[0], argv, os.Environ())
	}
	return fmt.Errorf("there is no sandbox %q", name)
}
