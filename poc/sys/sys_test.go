package sys

import (
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

const cloneSighand = 0x800 // include/uapi/linux/sched.h

func running(t *testing.T) *Kernel {
	t.Helper()
	k, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestMappingCallsReachTheKernel fails if a number or the place of an argument is
// wrong. Each call changes what the next one sees.
func TestMappingCallsReachTheKernel(t *testing.T) {
	k := running(t)
	page := uintptr(os.Getpagesize())
	addr, errno := k.Mmap(0, 4*page, 0, k.Map.Private|k.Map.Anonymous, -1, 0)
	if errno != 0 || addr == 0 || addr%page != 0 {
		t.Fatalf("mmap: %#x, errno %d", addr, errno)
	}
	vec := []byte{9, 9, 9, 9}
	if errno := k.Mincore(addr, page, vec); errno != 0 || vec[0]&1 != 0 || vec[3]&1 != 0 {
		t.Errorf("mincore of untouched pages: %v, errno %d", vec, errno)
	}
	if errno := k.Mprotect(addr+page, page, k.Prot.Read|k.Prot.Write); errno != 0 {
		t.Errorf("mprotect: errno %d", errno)
	}
	if errno := k.Madvise(addr, page, k.Madv.DontNeed); errno != 0 {
		t.Errorf("madvise: errno %d", errno)
	}
	if errno := k.Madvise(addr+1, page, k.Madv.DontNeed); k.ErrnoName(int(errno)) != "EINVAL" {
		t.Errorf("madvise of an unaligned address: errno %d", errno)
	}
	if errno := k.Munmap(addr, 4*page); errno != 0 {
		t.Errorf("munmap: errno %d", errno)
	}
	if errno := k.Mprotect(addr, page, k.Prot.Read); k.ErrnoName(int(errno)) != "ENOMEM" {
		t.Errorf("mprotect of unmapped memory: errno %d", errno)
	}
	if _, errno := k.Mmap(0, page, k.Prot.Read, k.Map.Private, -1, 0); k.ErrnoName(int(errno)) != "EBADF" {
		t.Errorf("mmap of no file: errno %d", errno)
	}
}

// TestMmapOffsetIsTheSixthArgument fails if descriptor and offset are exchanged.
func TestMmapOffsetIsTheSixthArgument(t *testing.T) {
	k := running(t)
	page := uintptr(os.Getpagesize())
	fd, errno := k.MemfdCreate("sys", 0)
	if errno != 0 {
		t.Fatalf("memfd_create: errno %d", errno)
	}
	defer syscall.Close(fd)
	if err := syscall.Ftruncate(fd, int64(2*page)); err != nil {
		t.Fatal(err)
	}
	addr, errno := k.Mmap(0, page, k.Prot.Read, k.Map.Shared, fd, int64(page))
	if errno != 0 {
		t.Fatalf("mmap: errno %d", errno)
	}
	defer k.Munmap(addr, page)
	if _, errno := k.Mmap(0, page, k.Prot.Read, k.Map.Shared, fd, 1); k.ErrnoName(int(errno)) != "EINVAL" {
		t.Errorf("mmap at offset 1: errno %d", errno)
	}
}

func TestLimitsAreReadAndSet(t *testing.T) {
	k := running(t)
	var before, after Rlimit
	if errno := k.Prlimit64(k.Rlimit.Core, nil, &before); errno != 0 {
		t.Fatalf("prlimit64: errno %d", errno)
	}
	defer k.Prlimit64(k.Rlimit.Core, &before, nil)
	if errno := k.Prlimit64(k.Rlimit.Core, &Rlimit{0, before.Max}, nil); errno != 0 {
		t.Fatalf("prlimit64: errno %d", errno)
	}
	if errno := k.Prlimit64(k.Rlimit.Core, nil, &after); errno != 0 || after != (Rlimit{0, before.Max}) {
		t.Errorf("the limit is %v after it was set to 0, errno %d", after, errno)
	}
}

// TestCloneRefusesBadFlags fails if the flags are not in the architecture's place:
// on s390x they are the second argument.
func TestCloneRefusesBadFlags(t *testing.T) {
	k := running(t)
	_, errno := k.Clone(&CloneArgs{Flags: cloneSighand | k.Signal.Chld})
	if k.ErrnoName(int(errno)) != "EINVAL" {
		t.Errorf("clone(CLONE_SIGHAND) without CLONE_VM: errno %d", errno)
	}
	_, errno = k.Clone3(make([]uint64, 8), 63)
	if k.ErrnoName(int(errno)) != "EINVAL" {
		t.Errorf("clone3 with 63 bytes: errno %d", errno)
	}
}

// TestCloneChildExits fails if a child continues to run Go code beside the test.
func TestCloneChildExits(t *testing.T) {
	k := running(t)
	args := make([]uint64, 8)
	args[4] = k.Signal.Chld // exit_signal
	for name, clone := range map[string]func() (int, syscall.Errno){
		"clone":  func() (int, syscall.Errno) { return k.Clone(&CloneArgs{Flags: k.Signal.Chld}) },
		"clone3": func() (int, syscall.Errno) { return k.Clone3(args, 64) },
	} {
		pid, errno := clone()
		if errno != 0 || pid <= 0 {
			t.Fatalf("%s: pid %d, errno %d", name, pid, errno)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Exited() || status.ExitStatus() != 0 {
			t.Errorf("%s: the child ended with %#x, %v", name, status, err)
		}
	}
}

// TestPausedChildLivesUntilItIsKilled fails if a paused child ends by itself.
// Limits that count living processes would then be tested with dead ones.
func TestPausedChildLivesUntilItIsKilled(t *testing.T) {
	k := running(t)
	pid, errno := k.Clone(&CloneArgs{Flags: k.Signal.Chld, Pause: true})
	if errno != 0 {
		t.Fatalf("clone: errno %d", errno)
	}
	var status syscall.WaitStatus
	for i := 0; i < 20; i++ { // long enough for a child to exit if it does
		if ended, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err != nil || ended != 0 {
			t.Fatalf("the child ended with %#x, %v", status, err)
		}
		time.Sleep(time.Millisecond)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.Signal() != syscall.SIGKILL {
		t.Errorf("the child ended with %#x, %v", status, err)
	}
}

// TestSchedulingPolicyIsSet fails if struct sched_attr has another layout. A nice
// value in the wrong place is not refused, but not set either.
func TestSchedulingPolicyIsSet(t *testing.T) {
	k := running(t)
	errnos := make(chan syscall.Errno)
	go func() {
		runtime.LockOSThread() // never unlocked, because the thread keeps what is set
		if errno := k.SchedSetattr(SchedAttr{Nice: 5}); errno != 0 {
			errnos <- errno
			return
		}
		// getpriority(2) returns 20 minus the nice value.
		if n, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err != nil || n != 15 {
			t.Errorf("getpriority: %d, %v", n, err)
		}
		errnos <- k.SchedSetattr(SchedAttr{Policy: 1 << 20})
	}()
	if errno := <-errnos; k.ErrnoName(int(errno)) != "EINVAL" {
		t.Errorf("sched_setattr of no policy: errno %d", errno)
	}
}

// TestSignalStackIsQueriedAndSet fails if struct stack_t has another layout. The
// runtime's own stack would then seem to have no size.
func TestSignalStackIsQueriedAndSet(t *testing.T) {
	k := running(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after SigStack
	if errno := k.Sigaltstack(nil, &before); errno != 0 || before.SP == 0 || before.Size < 8<<10 || before.Flags != 0 {
		t.Fatalf("the runtime's signal stack: %+v, errno %d", before, errno)
	}
	if errno := k.Sigaltstack(&before, &after); errno != 0 || after != before {
		t.Errorf("%+v after nothing was changed, errno %d", after, errno)
	}
	small := before
	small.Size = uintptr(k.MinSigStack) - 1
	if errno := k.Sigaltstack(&small, nil); k.ErrnoName(int(errno)) != "ENOMEM" {
		t.Errorf("a stack that is too small: errno %d", errno)
	}
}

// TestFirstCallOfAChild fails if a child runs on its parent's stack, or does not
// make its call. Each child writes to memory that the parent shares.
func TestFirstCallOfAChild(t *testing.T) {
	k := running(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	page, errno := k.Mmap(0, uintptr(os.Getpagesize()), k.Prot.Read|k.Prot.Write, k.Map.Shared|k.Map.Anonymous, -1, 0)
	if errno != 0 {
		t.Fatalf("mmap: errno %d", errno)
	}
	written := *(**uint64)(unsafe.Pointer(&page))
	const unwritten = ^uint64(0)
	by := func(flags uint64) func([4]uintptr) (int, syscall.Errno, error) {
		return func(call [4]uintptr) (int, syscall.Errno, error) { return k.CloneFirst(flags, call) }
	}
	by3 := func(flags, exit uint64) func([4]uintptr) (int, syscall.Errno, error) {
		return func(call [4]uintptr) (int, syscall.Errno, error) {
			tid, stack, errno, err := k.Clone3OnStack([clone3Words]uint64{0: flags, 4: exit}, call)
			if err == nil && errno == 0 && (stack.Start == 0 || stack.Size == 0) {
				t.Errorf("the stack is %+v", stack)
			}
			return tid, errno, err
		}
	}
	children := map[string]func([4]uintptr) (int, syscall.Errno, error){
		"process": by(k.Signal.Chld), "vfork": by(0x4100 | k.Signal.Chld), "thread": by(0x50f00),
	}
	if _, errno := k.Clone3(nil, 0); k.ErrnoName(int(errno)) != "ENOSYS" {
		children["process by clone3"], children["vfork by clone3"] = by3(0, k.Signal.Chld), by3(0x4100, k.Signal.Chld)
		children["thread by clone3"] = by3(0x50f00, 0)
	}
	for name, clone := range children {
		for i := 0; i < 100; i++ {
			atomic.StoreUint64(written, unwritten)
			// gettimeofday writes the seconds to the page.
			tid, errno, err := clone([4]uintptr{syscall.SYS_GETTIMEOFDAY, page})
			if tid <= 0 || errno != 0 || err != nil {
				t.Fatalf("%s: %d, errno %d, %v", name, tid, errno, err)
			}
			if !strings.HasPrefix(name, "thread") {
				var status syscall.WaitStatus
				if _, err := syscall.Wait4(tid, &status, 0, nil); err != nil || status != 0 {
					t.Fatalf("%s: ended with %#x, %v", name, status, err)
				}
			}
			for end := time.Now().Add(10 * time.Second); atomic.LoadUint64(written) == unwritten; {
				if time.Now().After(end) {
					t.Fatalf("%s: no call was made", name)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}
