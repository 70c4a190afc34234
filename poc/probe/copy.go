package probe

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/wire"
)

// Copy is a child that needs no new program: a copy of this process with one thread. It
// costs an emulated guest a small part of what a Go program costs that starts.
type Copy struct {
	// Name, Args and UID are those of the Child that runs where this process cannot be
	// copied.
	Name string
	Args []string
	UID  uint32
	// Body is what the copy does. It must need no second thread: no goroutine that
	// waits, no time.Sleep, no garbage collection.
	Body func(*P)
	// Namespaces has the CLONE_NEW* flags of the namespaces that the copy gets. In a new
	// user namespace it is root.
	Namespaces uint64
	// Keep, if not 0, is the one capability that a copy with another UID keeps.
	Keep uint
}

// From include/uapi/linux/{sched,prctl}.h, the same everywhere.
const (
	newUser       = 0x10000000
	setDeathSig   = 1
	setDumpable   = 4
	setKeepCaps   = 8
	awake         = '\n' // what a copy says first
	copyWaking    = 2 * time.Second
	copyWork      = 10 // clock ticks, a hundredth of a second each, that no copy needs to wake
	copyAttempts  = 4
	exitUnfounded = 70 // the copy could not become what was asked for
)

// Copy runs a copy of this process to its end, as Child does with a program.
func (o *Obs) Copy(c Copy) *Obs {
	// The runtime of gccgo relies on the C library, which knows its threads. An emulator
	// has threads of its own.
	if runtime.Compiler != "gc" || os.Getenv(EmulatorVariable) != "" {
		return o.Child(c.child())
	}
	for attempt := 0; attempt < copyAttempts; attempt++ {
		f, err := follow(Patience(childLimit), func(stdout, stderr int) (int, error) { return c.start(o.p.Kernel, stdout, stderr) })
		if err != nil {
			return o.Ended(wire.Exit{}, err)
		}
		if f.wakes() {
			return o.Ended(f.end(o.Pass), nil)
		}
		f.abandon()
	}
	return o.Child(c.child())
}

// child returns the program that does the same.
func (c Copy) child() Child {
	return Child{Name: c.Name, Args: c.Args, UID: c.UID, Attr: func(a *syscall.SysProcAttr) {
		a.Cloneflags = uintptr(c.Namespaces)
		if c.Namespaces&newUser != 0 {
			a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		if c.Keep != 0 {
			a.AmbientCaps = []uintptr{uintptr(c.Keep)}
		}
	}}
}

// wakes reports whether a copy says that it is alive. See sys.Kernel.Fork. One that sleeps
// before that waits for a thread that it does not have. One that works for long spins for
// the same reason: sysmon held its goroutine's status when it was left behind.
func (f *following) wakes() bool {
	asleep := 0
	for end := time.Now().Add(Patience(copyWaking)); time.Now().Before(end) && asleep < 2; {
		if readable(tick, f.stdout, -1)[0] {
			var first [1]byte
			return take(&f.stdout, first[:]) == 1
		}
		sleeps, worked := f.state()
		if worked >= copyWork*stretch() {
			return false
		}
		if sleeps {
			asleep++
		} else {
			asleep = 0
		}
	}
	return false
}

// state reports whether the child sleeps until something happens, and for how many clock
// ticks it has run.
func (f *following) state() (sleeps bool, worked int) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(f.pid) + "/stat")
	if err != nil {
		return false, 0
	}
	// The name in parentheses may hold anything; the state follows the last of them, and
	// utime and stime are fields 14 and 15 (proc_pid_stat(5)).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, utime = 0, 14 - 3
	if len(fields) < utime+2 {
		return false, 0
	}
	for _, field := range fields[utime : utime+2] {
		ticks, err := strconv.Atoi(string(field))
		if err != nil {
			return false, 0
		}
		worked += ticks
	}
	return string(fields[state]) == "S", worked
}

// abandon ends a copy that has done nothing yet.
func (f *following) abandon() {
	_ = syscall.Kill(f.pid, syscall.SIGKILL)
	_, _ = syscall.Wait4(f.pid, nil, 0, nil)
	shut(&f.stdout)
	shut(&f.stderr)
}

// start makes the copy. Only the original returns.
func (c Copy) start(k *sys.Kernel, stdout, stderr int) (int, error) {
	user, group := os.Getuid(), os.Getgid()
	pid, errno := k.Fork(c.Namespaces)
	switch {
	case errno != 0:
		return 0, fmt.Errorf("clone(%#x): errno %d %s", c.Namespaces|k.Signal.Chld, int(errno), k.ErrnoName(int(errno)))
	case pid != 0:
		return pid, nil
	}
	if err := c.become(k, stdout, stderr, user, group); err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(exitUnfounded)
	}
	p, err := start(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(exitUnfounded)
	}
	p.Args = c.Args
	c.Body(p)
	syscall.Exit(0)
	return 0, nil
}

// become makes the copy what a child is that was started as a program.
func (c Copy) become(k *sys.Kernel, stdout, stderr, user, group int) error {
	for i, fd := range []int{stdout, stderr} {
		if err := syscall.Dup3(fd, 1+i, 0); err != nil {
			return fmt.Errorf("take the pipe: %w", err)
		}
	}
	settle()
	if _, err := syscall.Write(1, []byte{awake}); err != nil {
		return fmt.Errorf("say that it is alive: %w", err)
	}
	if err := syscall.Setpgid(0, 0); err != nil {
		return fmt.Errorf("make a process group: %w", err)
	}
	if c.Namespaces&newUser != 0 {
		if err := mapRoot(user, group); err != nil {
			return fmt.Errorf("become root of the user namespace: %w", err)
		}
	}
	if c.UID != 0 {
		if errno := c.changeUser(k); errno != 0 {
			return fmt.Errorf("become user %d: errno %d %s", c.UID, int(errno), k.ErrnoName(int(errno)))
		}
	}
	// A change of the user clears both.
	if _, errno := k.Prctl(setDumpable, 1, 0, 0, 0); errno != 0 {
		return fmt.Errorf("own its files in /proc: errno %d %s", int(errno), k.ErrnoName(int(errno)))
	}
	if _, errno := k.Prctl(setDeathSig, uintptr(syscall.SIGKILL), 0, 0, 0); errno != 0 {
		return fmt.Errorf("end with the probe: errno %d %s", int(errno), k.ErrnoName(int(errno)))
	}
	return nil
}

// settle does what copies do: it takes memory from the heap and a larger stack, asks the
// scheduler, opens a file and encodes an observation. Another thread may have held a lock of
// these when it was left behind. The copy then hangs here, where it has not yet said that it
// is alive, and another one is made. These are the locks that are known. One copy in a
// matrix was seen to hang later, and where is not known; see stuck.
//
//go:noinline
func settle() {
	const cached = 128 << 10 // the runtime's processor has less than this without a lock
	var stack [32 << 10]byte // such a stack has a lock of its own
	settled = make([]byte, 2*cached)
	for i := 0; i < len(stack); i += len(stack) / 2 {
		stack[i]++
		settled[i] = stack[i]
	}
	runtime.GOMAXPROCS(0)
	if f, err := os.Open(os.DevNull); err == nil {
		f.Close()
	}
	settled = encode(wire.Observation{Step: "settle", Values: map[string]string{"key": "value"}})
}

// settled keeps what settle makes on the heap.
var settled []byte

// mapRoot maps this user and group to root of the new user namespace.
func mapRoot(user, group int) error {
	for _, file := range []struct{ name, text string }{
		{"setgroups", "deny"}, {"uid_map", "0 " + strconv.Itoa(user) + " 1"}, {"gid_map", "0 " + strconv.Itoa(group) + " 1"},
	} {
		if err := os.WriteFile("/proc/self/"+file.name, []byte(file.text), 0); err != nil {
			return err
		}
	}
	return nil
}

// changeUser changes the user and the group. Its calls concern one thread, and there is
// no other.
func (c Copy) changeUser(k *sys.Kernel) syscall.Errno {
	if c.Keep != 0 {
		if _, errno := k.Prctl(setKeepCaps, 1, 0, 0, 0); errno != 0 {
			return errno
		}
	}
	for _, call := range []struct{ number, arg uintptr }{
		{syscall.SYS_SETGROUPS, 0}, {syscall.SYS_SETGID, uintptr(c.UID)}, {syscall.SYS_SETUID, uintptr(c.UID)},
	} {
		if _, _, errno := syscall.RawSyscall(call.number, call.arg, 0, 0); errno != 0 {
			return errno
		}
	}
	if c.Keep == 0 {
		return 0
	}
	return k.Capset(1 << c.Keep)
}
