package newosproc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

const (
	// user is the one that RLIMIT_NPROC binds. No other program runs as this user,
	// because the limit counts all processes of a user.
	user = 65529
	// room is the number of threads that a limit leaves. The runtime needs some itself.
	// Each is a goroutine more in the traceback, which costs more than the rest.
	room = 4
	// most is the number of threads that are tried where a limit leaves room. It is more
	// than the limit leaves.
	most = 12
	// heap is the number of threads that are started for their memory. The Go heap
	// grows by 4 MiB, and each thread has stacks of 48 KiB (malg in
	// runtime/proc.go).
	heap = 200
	// flood is the number of threads that fill a group's memory.
	flood = 3000
	// cloneThread is CLONE_THREAD (include/uapi/linux/sched.h).
	cloneThread = 0x10000
)

// cause is one reason why the kernel makes no more threads.
type cause struct {
	name    string
	threads int // that the program tries to start
	uid     uint32
	// bind sets the limit, in the program itself. group is the group that has the
	// limit.
	bind func(p *probe.P, group limit.Group)
	// stock causes use the stock runtime; the others use a mended one where it
	// exists.
	stock bool
	// refuses is the error with which a filter of the program refuses clone.
	refuses string
	// plain causes run without a tracer, so that their clones are not counted.
	plain bool
	// lifted causes have their limit raised after some refusals.
	lifted     bool
	sysctl     string // path below /proc/sys of the sysctl that it changes
	controller string // of the control group that it needs
	nested     bool   // the limit is set on the parent of the program's group
}

// remains reports whether the kernel could still count something after the program
// ended. What belongs to one program, a filter or the size of its address space,
// goes with it.
func (c cause) remains() bool { return c.machine() || c.name == "nproc" }

// stock names the cause that runs nproc with the stock runtime, where that loses
// clone's error.
const stock = "stock"

// mended returns the path of the same program with a runtime that returns clone's
// error. It is "" if there is none, or if none is needed.
func mended(k abi.Table) string {
	self, err := os.Executable()
	if err != nil || !k.GoLosesCloneError {
		return ""
	}
	path := self + "-mended"
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// program returns the path of the program that runs in a cause.
func (c cause) program(k abi.Table) string {
	if path := mended(k); path != "" && !c.stock {
		return path
	}
	return "/proc/self/exe"
}

// machine reports whether the cause affects everybody on the machine.
func (c cause) machine() bool { return c.sysctl != "" || c.controller != "" }

func causes() []cause {
	all := []cause{
		{name: stock, threads: most, uid: user, bind: bindProcesses, stock: true},
		{name: "nproc", threads: most, uid: user, bind: bindProcesses},
		// The same without a tracer shows that being traced changes nothing.
		{name: "plain", threads: most, uid: user, bind: bindProcesses, plain: true},
		{name: "lifted", threads: most, uid: user, bind: bindProcesses, lifted: true},
		{name: "pids", threads: most, bind: bindGroup, controller: "pids"},
		{name: "nested", threads: most, bind: bindGroup, controller: "pids", nested: true},
		{name: "threads-max", threads: most, bind: bindThreads, sysctl: "kernel/threads-max"},
		{name: "pid_max", threads: most, bind: bindIDs, sysctl: "kernel/pid_max"},
	}
	for _, name := range []string{"EAGAIN", "ENOMEM", "EPERM", "EINVAL", "ENOSYS", "EOPNOTSUPP"} {
		name := name
		all = append(all, cause{name: "seccomp " + name, refuses: name, threads: most, bind: func(p *probe.P, _ limit.Group) { refuse(p, name) }})
	}
	return append(all,
		cause{name: "as", threads: heap, bind: bindAddressSpace, plain: true},
		cause{name: "max_map_count", threads: heap, bind: bindMappings, plain: true, sysctl: "vm/max_map_count"},
		cause{name: "memory", threads: flood, bind: bindMemory, plain: true, controller: "memory"},
	)
}

// bindProcesses leaves room below RLIMIT_NPROC.
func bindProcesses(p *probe.P, _ limit.Group) {
	max := limit.MustNumber(limit.Self, "Threads") + room
	limit.Soft(p, "limit", "RLIMIT_NPROC", p.Kernel.Rlimit.NProc, uint64(max))
}

// bindGroup leaves room below pids.max.
func bindGroup(p *probe.P, group limit.Group) {
	put(p, group, "pids.max", group.Number("pids.current")+room)
}

// bindMemory leaves room below memory.max for a hundred threads or two. Each takes 16
// KiB of the kernel and some pages of its own. What the program used before it entered
// the group is not counted there.
func bindMemory(p *probe.P, group limit.Group) {
	max := 4 << 20
	if least := 128 * int(p.Page); max < least {
		max = least
	}
	put(p, group, "memory.max", max)
}

func put(p *probe.P, group limit.Group, file string, value int) {
	o := p.Observe("limit")
	errno := group.Write(file, strconv.Itoa(value))
	o.Returned(fmt.Sprintf("write %d to %s", value, file), 0, errno)
	o.Emit()
}

// bindThreads leaves room below kernel.threads-max.
func bindThreads(p *probe.P, _ limit.Group) {
	load, err := syscall.Open("/proc/loadavg", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	limit.Must(err)
	write(p, "kernel/threads-max", limit.Threads(load, make([]byte, 128))+room)
}

// bindIDs leaves room below kernel.pid_max. The kernel reuses an ID only after it
// has been through all others: first those after the last one. It gives none below
// limit.Reserved once the last one was above.
func bindIDs(p *probe.P, _ limit.Group) {
	// This short cut exists only with CONFIG_CHECKPOINT_RESTORE.
	_ = os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(limit.Reserved)), 0)
	for last := 0; last <= limit.Reserved; {
		pid, errno := p.Kernel.Clone(&sys.CloneArgs{Flags: p.Kernel.Signal.Chld})
		if errno != 0 {
			panic(errno)
		}
		last = pid
		_, err := syscall.Wait4(pid, nil, 0, nil)
		limit.Must(err)
	}
	max := limit.Reserved + 1 // the smallest that the kernel accepts
	for free := 0; ; max++ {
		if syscall.Kill(max-1, 0) == syscall.ESRCH {
			free++
		}
		if free == room {
			break
		}
	}
	write(p, "kernel/pid_max", max)
}

// bindMappings allows fewer mappings than exist.
func bindMappings(p *probe.P, _ limit.Group) {
	s := limit.MustOpen("vm/max_map_count")
	text := []byte(strconv.Itoa(limit.Mappings() - 1))
	p.Observe("limit").Around(fmt.Sprintf("write %q to vm/max_map_count", text), func() syscall.Errno { return s.Set(text) })
}

func write(p *probe.P, sysctl string, value int) {
	s := limit.MustOpen(sysctl)
	text := strconv.Itoa(value)
	s.Wrote(p, "limit", text, s.Set([]byte(text))).Emit()
}

// bindAddressSpace allows less address space than is in use.
func bindAddressSpace(p *probe.P, _ limit.Group) {
	statm, err := os.ReadFile("/proc/self/statm")
	limit.Must(err)
	pages, err := strconv.Atoi(strings.Fields(string(statm))[0])
	limit.Must(err)
	resource := p.Kernel.Rlimit.AS
	var l sys.Rlimit
	if errno := p.Kernel.Prlimit64(resource, nil, &l); errno != 0 {
		panic(errno)
	}
	l.Current = uint64(pages) * uint64(p.Page) / 2
	p.Observe("limit").Around(fmt.Sprintf("prlimit64(RLIMIT_AS=%d, %d)", resource, l.Current), func() syscall.Errno {
		return p.Kernel.Prlimit64(resource, &l, nil)
	})
}

// refuse installs a filter that answers every clone of a thread with an error.
// Processes can still be made.
func refuse(p *probe.P, name string) {
	o := p.Observe("limit")
	answer := trace.Error | uint32(p.Kernel.Errno(name))
	ret, errno := trace.Install(p.Kernel, trace.AllThreads,
		trace.FilterFlag(answer, p.Kernel.Syscall.Clone, place(p.Kernel.Table, abi.CloneFlags), cloneThread))
	o.Returned("seccomp(SET_MODE_FILTER, TSYNC)", ret, errno)
	o.Emit()
}

// place returns the index of an argument of clone.
func place(k abi.Table, argument abi.CloneArg) int {
	for i, a := range k.CloneOrder {
		if a == argument {
			return i
		}
	}
	panic("clone has no such argument")
}

// call describes a clone for people.
func call(flags uint64) string { return fmt.Sprintf("clone(flags=%#x)", flags) }
