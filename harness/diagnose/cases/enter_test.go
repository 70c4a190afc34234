package cases

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// entrance is a place in which a program is started, as shells, service managers and
// container engines make one. Its parts are entered in the order of the fields.
type entrance struct {
	// Groups are folders of control groups.
	Groups []string `json:",omitempty"`
	// New are namespaces (CLONE_NEW*) of a new process. One of users has its root.
	New uintptr `json:",omitempty"`
	// Unshared are namespaces that the same process unshares.
	Unshared uint64            `json:",omitempty"`
	Write    map[string]string `json:",omitempty"` // texts of files
	Root     string            `json:",omitempty"` // chroot
	// Mounted makes /proc and /sys/fs/cgroup in that root, in a mount namespace of its own.
	Mounted  bool     `json:",omitempty"`
	User     uint32   `json:",omitempty"`
	Deadline bool     `json:",omitempty"` // SCHED_DEADLINE
	Filter   *refusal `json:",omitempty"`
	Limits   []rlimit `json:",omitempty"`
	// Within is entered after all that.
	Within *entrance `json:",omitempty"`
}

// rlimit is a resource limit by the name of its constant.
type rlimit struct {
	Of         string
	Soft, Hard uint64
}

// both returns a limit that is soft and hard.
func both(of string, n uint64) rlimit { return rlimit{of, n, n} }

// refusal is a seccomp filter for some calls.
type refusal struct {
	Calls  []string
	Answer uint32
}

// cloning are the calls that make a thread: which one a C library uses depends on its age
// and on the architecture.
func cloning() []string { return []string{"clone", "clone3"} }

// through returns the words that run a command in this place.
func (e *entrance) through(self string, command []string) []string {
	if e == nil {
		return command
	}
	b, err := json.Marshal(e)
	limit.Must(err)
	return append([]string{self, play, "enter", string(b)}, command...)
}

// enter is the part that executes a command in a place.
func enter(args []string) {
	runtime.LockOSThread()
	var e entrance
	limit.Must(json.Unmarshal([]byte(args[0]), &e))
	command := args[1:]
	if e.New != 0 {
		os.Exit(anew(e, command))
	}
	limit.Must(e.change())
	if e.Within != nil {
		self, err := os.Executable()
		limit.Must(err)
		command = e.Within.through(self, command)
	}
	errno := e.execute(command)
	fmt.Fprintf(os.Stderr, "exec %s: %v\n", command[0], errno)
	os.Exit(126)
}

// execute sets the limits and executes the command. Between the two it needs no memory,
// which there may be none of.
func (e entrance) execute(command []string) syscall.Errno {
	k, err := sys.Running()
	limit.Must(err)
	argv, err := syscall.SlicePtrFromStrings(command)
	limit.Must(err)
	envv, err := syscall.SlicePtrFromStrings(os.Environ())
	limit.Must(err)
	of := map[string]uint64{"NPROC": k.Rlimit.NProc, "AS": k.Rlimit.AS, "STACK": unix.RLIMIT_STACK, "DATA": unix.RLIMIT_DATA, "MEMLOCK": k.Rlimit.MemLock,
		"NOFILE": unix.RLIMIT_NOFILE, "CPU": unix.RLIMIT_CPU, "FSIZE": k.Rlimit.FSize}
	limits, numbers := make([]sys.Rlimit, len(e.Limits)), make([]uint64, len(e.Limits))
	for i, l := range e.Limits {
		limits[i], numbers[i] = sys.Rlimit{Current: l.Soft, Max: l.Hard}, of[l.Of]
	}
	for i := range limits {
		if errno := k.Prlimit64(numbers[i], &limits[i], nil); errno != 0 {
			return errno
		}
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(argv[0])), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])))
	return errno
}

// anew runs the command in a process with new namespaces and returns its exit status.
func anew(e entrance, command []string) int {
	attr := &syscall.SysProcAttr{Cloneflags: e.New, Pdeathsig: syscall.SIGKILL}
	if e.New&syscall.CLONE_NEWUSER != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	e.New = 0
	self, err := os.Executable()
	limit.Must(err)
	words := e.through(self, command)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdin, os.Stdout, os.Stderr, attr
	limit.Must(cmd.Start())
	_ = cmd.Wait() // ProcessState has the result
	return cmd.ProcessState.ExitCode()
}

func (e entrance) change() error {
	k, err := sys.Running()
	if err != nil {
		return err
	}
	for _, g := range e.Groups {
		if err := os.WriteFile(filepath.Join(g, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	if e.Unshared != 0 {
		if errno := k.Unshare(e.Unshared); errno != 0 {
			return fmt.Errorf("unshare %#x: %w", e.Unshared, errno)
		}
	}
	for name, text := range e.Write {
		if err := os.WriteFile(name, []byte(text), 0); err != nil {
			return err
		}
	}
	if err := e.changeRoot(); err != nil {
		return err
	}
	return e.confine(k)
}

// changeRoot enters another root directory.
func (e entrance) changeRoot() error {
	if e.Root == "" {
		return nil
	}
	var mounts []mount
	if e.Mounted {
		// Nothing that is mounted here may be seen outside.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			return err
		}
		mounts = append(mounts, mount{"proc", "/proc", ""}, groupsAsHere())
	}
	if err := syscall.Chroot(e.Root); err != nil {
		return err
	}
	if err := syscall.Chdir("/"); err != nil {
		return err
	}
	return mountAll(mounts)
}

// groupsAsHere returns the mount of the hierarchy that counts tasks.
func groupsAsHere() mount {
	if h, _ := limit.Find("pids"); h.Version == 2 {
		return mount{"cgroup2", "/sys/fs/cgroup", ""}
	}
	return mount{"cgroup", "/sys/fs/cgroup/pids", "pids"}
}

// root returns the last root directory that a place enters, "" for none.
func (e *entrance) root() string {
	if e == nil {
		return ""
	}
	if within := e.Within.root(); within != "" {
		return within
	}
	return e.Root
}

// confine takes rights, which nothing else may follow.
func (e entrance) confine(k *sys.Kernel) error {
	if e.User != 0 {
		user := int(e.User)
		// One call each, for this thread: it is the one that executes.
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			return fmt.Errorf("setgroups: %w", errno)
		}
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESGID, uintptr(user), uintptr(user), uintptr(user)); errno != 0 {
			return fmt.Errorf("setresgid: %w", errno)
		}
		if errno := k.Setresuid(e.User, e.User, e.User); errno != 0 {
			return fmt.Errorf("setresuid: %w", errno)
		}
	}
	if e.Deadline {
		if errno := k.SchedSetattr(sys.SchedAttr{Policy: 6, Runtime: 1e6, Deadline: 1e8, Period: 1e8}); errno != 0 {
			return fmt.Errorf("SCHED_DEADLINE: %w", errno)
		}
	}
	if e.Filter == nil {
		return nil
	}
	if _, errno := k.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); errno != 0 {
		return errno
	}
	var numbers []uint64
	for _, call := range e.Filter.Calls {
		numbers = append(numbers, map[string]uint64{"clone": k.Syscall.Clone, "clone3": k.Syscall.Clone3, "ptrace": unix.SYS_PTRACE}[call])
	}
	if _, errno := trace.Install(k, 0, trace.Filter(e.Filter.Answer, numbers...)); errno != 0 {
		return fmt.Errorf("install a filter: %w", errno)
	}
	return nil
}
