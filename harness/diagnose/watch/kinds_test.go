package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/diagnose/filter"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// failing makes one call of each kind that every kernel refuses, and some that succeed and
// are told too.
func failing() {
	runtime.LockOSThread()
	k, err := sys.Running()
	must(err)
	_, _ = k.Clone(&sys.CloneArgs{Flags: cloneThread}) // a thread with its own memory
	_, _ = k.Clone3([]uint64{cloneThread, 0, 0, 0, 0, 0, 0, 0}, 64)
	_ = syscall.Exec("/nowhere", []string{"nowhere"}, nil)
	_, _ = k.Mmap(0, math.MaxInt64, k.Prot.Read, k.Map.Private|k.Map.Anonymous, -1, 0)
	_ = k.Mprotect(4096, 4096, k.Prot.Read)
	_, _, _ = syscall.RawSyscall6(syscall.SYS_MREMAP, 4096, 4096, 8192, 0, 0, 0)
	_, _, _ = syscall.RawSyscall(syscall.SYS_BRK, math.MaxInt64, 0, 0)
	_ = k.Unshare(1)
	_, _, _ = syscall.RawSyscall(uintptr(k.Syscall.Setns), math.MaxUint32, 0, 0)
	_ = k.Prlimit64(1000, &sys.Rlimit{Current: 5, Max: 7}, nil)
	_ = k.Setresuid(math.MaxUint32, math.MaxUint32, math.MaxUint32)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PTRACE, syscall.PTRACE_TRACEME, 0, 0)
}

// TestEachKindOfCallIsSeen fails if a call is not watched of which it is then said that
// nothing was refused.
func TestEachKindOfCallIsSeen(t *testing.T) {
	for _, how := range []string{"run", "run every"} {
		l, _, stderr := run(t, how, "failing")
		for call, want := range map[string]Attempt{
			"clone": {Errno: int(syscall.EINVAL), Flags: cloneThread}, "clone3": {Errno: int(syscall.EINVAL), Flags: cloneThread},
			"execve": {Errno: int(syscall.ENOENT), Path: "/nowhere"},
			"mmap":   {Errno: int(syscall.ENOMEM), Length: math.MaxInt64}, "mprotect": {Errno: int(syscall.ENOMEM), Length: 4096, Flags: unix.PROT_READ},
			"mremap": {Errno: int(syscall.EFAULT), Length: 4096}, "brk": {Errno: int(syscall.ENOMEM)},
			"unshare": {Errno: int(syscall.EINVAL), Flags: 1}, "setns": {Errno: int(syscall.EBADF)},
			"prlimit64": {Errno: int(syscall.EINVAL), Limit: 1000, Soft: 5, Hard: 7}, "setresuid": {},
		} {
			if !slices.ContainsFunc(l.Attempts, func(a Attempt) bool {
				old := call == "clone3" && a.Errno == int(syscall.ENOSYS) // before Linux 5.3
				return a.Call == call && a.PID == l.PID && (a.Errno == want.Errno || old) && a.Limit == want.Limit && a.Soft == want.Soft && a.Hard == want.Hard &&
					(want.Flags == 0 || a.Flags == want.Flags) && (want.Length == 0 || a.Length == want.Length) && (want.Path == "" || a.Path == want.Path)
			}) {
				t.Errorf("%s: no %s like %+v in %+v\n%s", how, call, want, l.Attempts, stderr)
			}
		}
		if !slices.Contains(l.Gaps, Gap{PID: l.PID, Reason: Tracer}) {
			t.Errorf("%s: a program that wants to be traced: %+v", how, l.Gaps)
		}
	}
}

// killedAt ends a process by a filter, at a call that is not in any list.
func killedAt(answer uint32) {
	k, err := sys.Running()
	must(err)
	if _, errno := k.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); errno != 0 {
		panic(errno)
	}
	if _, errno := trace.Install(k, 0, trace.Filter(answer, syscall.SYS_GETSID)); errno != 0 {
		panic(errno)
	}
	_, _, _ = syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
}

// parent goes on after its child was killed.
func parent() {
	child := exec.Command("/proc/self/exe")
	child.Env = []string{"WATCH_TEST_ROLE=killed"}
	_ = child.Run()
}

// worker is a program that goes on after one of its threads was killed.
const worker = `
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
static volatile int tid;
static void *work(void *p) {
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog all = { 4, f };
	tid = syscall(SYS_gettid);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all)) _exit(9);
	syscall(SYS_getsid, 0);
	return p;
}
int main(void) {
	pthread_t t;
	pthread_create(&t, 0, work, 0);
	while (!tid || !syscall(SYS_tgkill, getpid(), tid, 0)) sched_yield();
	return 0;
}
`

// TestDeathsByAFilterAreSeen fails if a script goes on and nobody learns that its child was
// killed, or at which call.
func TestDeathsByAFilterAreSeen(t *testing.T) {
	l, _, _ := run(t, "run", "parent")
	thread := slices.IndexFunc(l.Deaths, func(d Death) bool { return !d.Process() && d.Status.Signal() == syscall.SIGSYS && d.Call != nil })
	if thread < 0 || l.Deaths[thread].Call.Number != syscall.SYS_GETSID || l.Deaths[thread].PID == l.PID {
		t.Fatalf("%+v", l.Deaths)
	}
	for i, d := range l.Deaths {
		if i != thread && d.Call != nil {
			t.Errorf("another thread was ended at a call too: %+v", l.Deaths)
		}
	}
	if !slices.ContainsFunc(l.Deaths, func(d Death) bool {
		return d.Process() && d.PID == l.Deaths[thread].PID && d.Status.Signal() == syscall.SIGSYS
	}) {
		t.Errorf("the process did not end: %+v", l.Deaths)
	}
}

// TestTheDeathOfOneThreadIsSeen fails if a program hangs for want of a thread that a filter
// ended, and nobody learns of it.
func TestTheDeathOfOneThreadIsSeen(t *testing.T) {
	l, _, _ := run(t, "run", compiled(t, worker))
	if !slices.ContainsFunc(l.Deaths, func(d Death) bool {
		return !d.Process() && d.PID == l.PID && d.TID != l.PID && d.Status.Signal() == syscall.SIGSYS && d.Call != nil
	}) || l.Status != 0 {
		t.Errorf("a thread alone: %+v", l)
	}
}

// orphan outlives its parent: it executes a program when the parent's end of its input is
// closed. Without a tracer its filter would refuse that.
func orphan() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	must(syscall.Exec("/proc/self/exe", []string{"orphan"}, []string{"WATCH_TEST_ROLE=alive"}))
}

// leaver leaves a process behind.
func leaver() {
	child := exec.Command("/proc/self/exe")
	child.Env, child.Stdout, child.Stderr = []string{"WATCH_TEST_ROLE=orphan"}, os.Stdout, os.Stderr
	_, err := child.StdinPipe()
	must(err)
	must(child.Start())
}

// TestWhatIsLeftBehindLives fails if a daemon breaks when its diagnosis is over.
func TestWhatIsLeftBehindLives(t *testing.T) {
	for how, want := range map[string]Reason{"run": Kept, "run every": Left} {
		l, out, stderr := run(t, how, "leaver")
		if len(l.Gaps) != 1 || l.Gaps[0].Reason != want || l.Gaps[0].PID == l.PID || !strings.Contains(out, "ALIVE") {
			t.Errorf("%s: %+v, %q\n%s", how, l.Gaps, out, stderr)
		}
	}
}

// TestAPanicOfTheObserverSparesTheProgram fails if a program ends because its diagnosis has
// a bug.
func TestAPanicOfTheObserverSparesTheProgram(t *testing.T) {
	cmd := role(t, "run", "WATCH_TEST_CHILD=failing", "WATCH_TEST_PANIC=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil || !strings.Contains(stderr.String(), "the diagnosis has failed, and the program goes on unwatched: a bug") {
		t.Errorf("%v: %s", err, stderr.String())
	}
}

// TestTheWatcherHoldsNoDescriptorOfTheProgram fails if whoever waits for the end of a pipe or
// for a lock waits for what the program left behind.
func TestTheWatcherHoldsNoDescriptorOfTheProgram(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := role(t, "run", "WATCH_TEST_CHILD=wait")
	cmd.ExtraFiles = []*os.File{w}
	in, out := start(t, cmd)
	tell(t, in, out) // it runs, and so does the watcher
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	holders, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	info, err := r.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, fd := range holders {
		if other, err := os.Stat(fd); err == nil && os.SameFile(info, other) {
			held = append(held, strings.Split(fd, "/")[2])
		}
	}
	slices.Sort(held)
	want := []string{fmt.Sprint(os.Getpid()), fmt.Sprint(cmd.Process.Pid)}
	slices.Sort(want)
	if held = slices.Compact(held); !slices.Equal(held, want) {
		t.Errorf("held by %v, want %v", held, want)
	}
	_ = in.Close()
	heard(t, rest(t, out))
	_ = cmd.Wait()
	_ = r.Close()
}

// untraced makes a process with CLONE_UNTRACED, as LeakSanitizer does.
func untraced() {
	k, err := sys.Running()
	must(err)
	pid, errno := k.Clone(&sys.CloneArgs{Flags: unix.CLONE_UNTRACED | k.Signal.Chld})
	if errno != 0 {
		panic(errno)
	}
	_, _ = syscall.Wait4(pid, nil, 0, nil)
}

// TestNobodyEscapesTheFiltersTracer fails if a process has the filter and no tracer: its
// calls would fail.
func TestNobodyEscapesTheFiltersTracer(t *testing.T) {
	l, _, _ := run(t, "run", "untraced")
	escaped := slices.Contains(l.Gaps, Gap{PID: l.PID, Reason: Untraced})
	if traced := len(l.Deaths) == 2; traced == escaped {
		t.Errorf("%+v, %+v", l.Deaths, l.Gaps)
	}
}

func TestTheProgramHasTheNumberOfTheProcessThatWasStarted(t *testing.T) {
	cmd := role(t, "run", "WATCH_TEST_CHILD=status")
	out, err := cmd.Output()
	l := heard(t, out)
	var exit *exec.ExitError
	if l.PID != cmd.Process.Pid || !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("program %d, process %d, %v", l.PID, cmd.Process.Pid, err)
	}
}

// TestChildrenFromBeforeAreNamed fails if a program is said to be watched whole whose
// children are not.
func TestChildrenFromBeforeAreNamed(t *testing.T) {
	program := role(t, "family")
	in, out := start(t, program)
	line, _ := out.ReadString('\n')
	var child int
	if _, err := fmt.Sscan(line, &child); err != nil {
		t.Fatal(line)
	}
	watcher := role(t, "attach", fmt.Sprint("WATCH_TEST_PID=", program.Process.Pid))
	stop, seen := start(t, watcher)
	_, _ = seen.ReadString('\n')
	_ = stop.Close()
	l := heard(t, rest(t, seen))
	_ = watcher.Wait()
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%[1]d/children", os.Getpid())); err != nil {
		t.Skip("the kernel does not list children: ", err)
	}
	if !slices.Contains(l.Gaps, Gap{PID: child, Reason: Before}) {
		t.Errorf("child %d: %+v", child, l.Gaps)
	}
	_ = in.Close()
	_ = program.Wait()
}

// family has a child and waits.
func family() {
	child := exec.Command("/proc/self/exe")
	child.Env, child.Stdin = []string{"WATCH_TEST_ROLE=orphan"}, os.Stdin
	must(child.Start())
	fmt.Println(child.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// small is a program of 32 bits: it calls clone(CLONE_THREAD), which is refused, and ends
// with status 3.
var small = []byte{
	0xb8, 120, 0, 0, 0, // mov eax, clone
	0xbb, 0, 0, 1, 0, // mov ebx, CLONE_THREAD
	0xcd, 0x80, // int 0x80
	0xb8, 1, 0, 0, 0, // mov eax, exit
	0xbb, 3, 0, 0, 0, // mov ebx, 3
	0xcd, 0x80,
}

// TestCallsOf32BitProgramsAreSeen fails if a program for GOARCH=386 is not watched.
func TestCallsOf32BitProgramsAreSeen(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only amd64 is known to run programs of 386")
	}
	const at, headers = 0x10000, 52 + 32
	var elf bytes.Buffer
	for _, part := range []any{
		[]byte("\x7fELF\x01\x01\x01"), make([]byte, 9),
		[]uint16{2, 3}, []uint32{1, at + headers, 52, 0, 0}, []uint16{52, 32, 1, 0, 0, 0},
		[]uint32{1, 0, at, at, headers + uint32(len(small)), headers + uint32(len(small)), 5, 4096}, small,
	} {
		_ = binary.Write(&elf, binary.LittleEndian, part)
	}
	path := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(path, elf.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := exec.Command(path).Run(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Skip("this kernel runs no programs of 32 bits: ", err)
	}
	for _, how := range []string{"run", "run every"} {
		l, _, stderr := run(t, how, path)
		if !slices.ContainsFunc(l.Attempts, func(a Attempt) bool {
			return a.Call == "clone" && a.ABI == "386" && a.Thread() && a.Errno == int(syscall.EINVAL)
		}) || len(l.Gaps) != 0 {
			t.Errorf("%s: %+v, %+v\n%s", how, l.Attempts, l.Gaps, stderr)
		}
	}
}

// trapped is a program whose filter turns clone into SIGSYS, and whose handler answers EAGAIN.
const trapped = `
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
static void on(int s, siginfo_t *i, void *c) { ((ucontext_t *)c)->uc_mcontext.gregs[REG_RAX] = -EAGAIN; }
int main(void) {
	struct sigaction a = { .sa_sigaction = on, .sa_flags = SA_SIGINFO };
	sigaction(SIGSYS, &a, 0);
	struct sock_filter p[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog f = { 4, p };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &f)) return 9;
	if (syscall(SYS_clone, 17, 0, 0, 0, 0) >= 0 || errno != EAGAIN) return 8;
	return vfork() ? 3 : (_exit(0), 0);
}
`

// compiled returns the path of a program in C.
func compiled(t *testing.T, source string) string {
	t.Helper()
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no C compiler: ", err)
	}
	path := filepath.Join(t.TempDir(), "program")
	build := exec.Command(compiler, "-pthread", "-x", "c", "-o", path, "-")
	build.Stdin = strings.NewReader(source)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// TestATrappedCallIsNoSuccess fails if the number of a call passes for its result, and so a
// refusal for a new process.
func TestATrappedCallIsNoSuccess(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the program is written for the registers of amd64")
	}
	path := compiled(t, trapped)
	for _, how := range []string{"run", "run every"} {
		l, _, _ := run(t, how, path)
		if syscall.WaitStatus(l.Status).ExitStatus() != 3 {
			t.Fatalf("%+v", l)
		}
		clone := slices.IndexFunc(l.Attempts, func(a Attempt) bool { return a.Call == "clone" && a.PID == l.PID })
		if clone < 0 || !l.Attempts[clone].Trapped || l.Attempts[clone].Errno != int(syscall.EAGAIN) {
			t.Errorf("%s: %+v", how, l.Attempts)
		}
		if !slices.ContainsFunc(l.Attempts, func(a Attempt) bool { return a.Call == "vfork" && a.Errno == 0 && !a.Trapped }) {
			t.Errorf("%s: no vfork in %+v", how, l.Attempts)
		}
	}
}

// TestTheFilterStopsWhatIsListed runs the filter as the kernel does.
func TestTheFilterStopsWhatIsListed(t *testing.T) {
	little := *(*byte)(unsafe.Pointer(&[]uint16{1}[0])) == 1
	for goarch := range numbers() {
		rec, err := arch.Lookup(goarch)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Big == little {
			continue // a filter is made for the byte order of its machine
		}
		abis := abisOf(rec)
		program := filterFor(abis)
		decide := func(audit uint32, number uint64, first uint64) bool {
			answer, err := filter.Decide([][]trace.Instruction{program}, filter.Call{Arch: audit, Number: uint32(number), Args: [6]uint64{first}}, binary.NativeEndian)
			if err != nil {
				t.Fatalf("%s: %v", goarch, err)
			}
			return answer.Action() == trace.Stop
		}
		for _, abi := range abis {
			for name, number := range abi.numbers {
				first, conditional := firstArgument(name)
				want := name != callSigreturn && name != callSigreturn2
				if got := decide(abi.audit, number|abi.bit, uint64(first)); got != want {
					t.Errorf("%s %s %s: stops %t", goarch, abi.name, name, got)
				}
				if conditional && decide(abi.audit, number|abi.bit, 77) {
					t.Errorf("%s %s %s: stops with another argument", goarch, abi.name, name)
				}
			}
			if decide(abi.audit, 9999|abi.bit, 0) {
				t.Errorf("%s %s: stops at a call that is not listed", goarch, abi.name)
			}
		}
		if !decide(0x12345678, 1, 0) {
			t.Errorf("%s: a foreign ABI passes unseen", goarch)
		}
	}
}

// TestTheNumbersAreThoseOfTheOtherTable fails if a number was copied wrong.
func TestTheNumbersAreThoseOfTheOtherTable(t *testing.T) {
	for goarch, list := range numbers() {
		k, known := abi.Lookup(goarch)
		if !known {
			t.Errorf("poc/abi has no table for %s", goarch)
			continue
		}
		s := k.Syscall
		for name, want := range map[string]uint64{
			"clone": s.Clone, "clone3": s.Clone3, "execve": s.Execve, "mprotect": s.Mprotect, "mremap": s.Mremap, "unshare": s.Unshare,
			"setns": s.Setns, "setresuid": s.Setresuid, "prlimit64": s.Prlimit64, "seccomp": s.Seccomp, callPrctl: s.Prctl, callPtrace: s.Ptrace, callWrite: s.Write,
		} {
			if list[name] != want {
				t.Errorf("%s %s: %d here, %d there", goarch, name, list[name], want)
			}
		}
		if list["mmap"]+list[callOldMmap] != s.Mmap {
			t.Errorf("%s mmap: %+v, %d there", goarch, list, s.Mmap)
		}
	}
}

// TestAnotherUsersProgramIsRecognised fails if a set-user-ID program is started traced by a
// user: it would run without its privileges, and nobody would know why.
func TestAnotherUsersProgramIsRecognised(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a program of another user")
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if setUser(path) || setUser(path+"none") {
		t.Error("a plain program")
	}
	if err := errors.Join(os.Chown(path, 54321, 0), os.Chmod(path, 0o755|os.ModeSetuid)); err != nil {
		t.Fatal(err)
	}
	if !setUser(path) {
		t.Error("a set-user-ID program")
	}
}

func TestTheGroupsThatLimitAreFound(t *testing.T) {
	const mounts = `22 1 0:21 / /proc rw - proc proc rw
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
42 31 0:39 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
30 1 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw
broken - cgroup
`
	want := []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"}
	if got := groupTops(mounts); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzGroupTops(f *testing.F) {
	f.Add("39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids\n")
	f.Fuzz(func(_ *testing.T, mounts string) { groupTops(mounts) })
}
