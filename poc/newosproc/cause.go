package main

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
	// user is whom RLIMIT_NPROC concerns: no other program is run as this one,
	// because the limit counts all that a user has.
	user = 65529
	// room is how many threads a limit leaves.
	room = 8
	// most is how many are started where room is refused.
	most = 40
	// heap is how many are started for their memory: the Go heap grows by 4 MiB,
	// and each has stacks of 48 KiB (malg in runtime/proc.go).
	heap = 200
	// flood is how many are started to fill a group's memory.
	flood = 3000
	// cloneThread is CLONE_THREAD (include/uapi/linux/sched.h).
	cloneThread = 0x10000
)

// cause is one reason why the kernel makes no more threads.
type cause struct {
	name    string
	threads int // that the program tries to start
	uid     uint32
	// bind sets the limit, in the program. group is the one whose limit it is.
	bind func(p *probe.P, group limit.Group)
	// stock programs have the stock runtime where others have a mended one.
	stock bool
	// plain programs run without a tracer, so that nothing counts their clones.
	plain bool
	// lifted: the limit is raised after some refusals.
	lifted     bool
	sysctl     string // below /proc/sys, that it changes
	controller string // of the control group that it needs
	nested     bool   // the limit is that of the group around the program's
}

// remains reports whether the kernel could count something that is no more: what
// one program has for itself, a filter or the size of its address space, goes with
// it.
func (c cause) remains() bool { return c.machine() || c.name == "nproc" }

// stock is the cause that shows what the stock runtime makes of nproc where it
// loses clone's error.
const stock = "stock"

// mended is a program like this one whose runtime returns clone's error, "" where
// there is none, or no need of one.
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

// program is what runs in a cause.
func (c cause) program(k abi.Table) string {
	if path := mended(k); path != "" && !c.stock {
		return path
	}
	return "/proc/self/exe"
}

// machine reports whether the cause concerns everybody on the machine.
func (c cause) machine() bool { return c.sysctl != "" || c.controller != "" }

func causes() []cause {
	all := []cause{
		{name: stock, threads: most, uid: user, bind: bindProcesses, stock: true},
		{name: "nproc", threads: most, uid: user, bind: bindProcesses},
		// The same without a tracer: being watched changes nothing.
		{name: "plain", threads: most, uid: user, bind: bindProcesses, plain: true},
		{name: "lifted", threads: most, uid: user, bind: bindProcesses, lifted: true},
		{name: "pids", threads: most, bind: bindGroup, controller: "pids"},
		{name: "nested", threads: most, bind: bindGroup, controller: "pids", nested: true},
		{name: "threads-max", threads: most, bind: bindThreads, sysctl: "kernel/threads-max"},
		{name: "pid_max", threads: most, bind: bindIDs, sysctl: "kernel/pid_max"},
	}
	for _, name := range []string{"EAGAIN", "ENOMEM", "EPERM", "EINVAL", "ENOSYS", "EOPNOTSUPP"} {
		name := name
		all = append(all, cause{name: "seccomp " + name, threads: most, bind: func(p *probe.P, _ limit.Group) { refuse(p, name) }})
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
	limit.Soft(p, step(p, "limit"), "RLIMIT_NPROC", p.Kernel.Rlimit.NProc, uint64(max))
}

// bindGroup leaves room below pids.max.
func bindGroup(p *probe.P, group limit.Group) {
	put(p, group, "pids.max", group.Number("pids.current")+room)
}

// bindMemory leaves room below memory.max for some hundred threads, each of
// which takes 16 KiB of the kernel and some pages of its own.
func bindMemory(p *probe.P, group limit.Group) {
	max := 16 << 20
	if least := 512 * int(p.Page); max < least {
		max = least
	}
	put(p, group, "memory.max", max)
}

func put(p *probe.P, group limit.Group, file string, value int) {
	o := p.Observe(step(p, "limit"))
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

// bindIDs leaves room below kernel.pid_max. IDs that were given lately are given
// again when all others have been; first those after the last one are used, but
// none below limit.Reserved once the last one was above.
func bindIDs(p *probe.P, _ limit.Group) {
	// The short cut is there where the kernel has CONFIG_CHECKPOINT_RESTORE.
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
	max := limit.Reserved + 1 // the smallest that the kernel takes
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

// bindMappings allows fewer mappings than there are.
func bindMappings(p *probe.P, _ limit.Group) {
	write(p, "vm/max_map_count", limit.Mappings()-1)
}

func write(p *probe.P, sysctl string, value int) {
	s := limit.MustOpen(sysctl)
	text := strconv.Itoa(value)
	s.Wrote(p, step(p, "limit"), text, s.Set([]byte(text))).Emit()
}

// bindAddressSpace allows less memory than there is.
func bindAddressSpace(p *probe.P, _ limit.Group) {
	statm, err := os.ReadFile("/proc/self/statm")
	limit.Must(err)
	pages, err := strconv.Atoi(strings.Fields(string(statm))[0])
	limit.Must(err)
	limit.Soft(p, step(p, "limit"), "RLIMIT_AS", p.Kernel.Rlimit.AS, uint64(pages)*uint64(p.Page)/2)
}

// refuse lets a filter answer every clone of a thread with an error. Processes
// are made as before.
func refuse(p *probe.P, name string) {
	o := p.Observe(step(p, "limit"))
	answer := trace.Error | uint32(p.Kernel.Errno(name))
	ret, errno := trace.Install(p.Kernel, trace.AllThreads,
		trace.FilterFlag(answer, p.Kernel.Syscall.Clone, place(p.Kernel.Table, abi.CloneFlags), cloneThread))
	o.Returned("seccomp(SET_MODE_FILTER, TSYNC)", ret, errno)
	o.Emit()
}

// place is which argument of clone this one is.
func place(k abi.Table, argument abi.CloneArg) int {
	for i, a := range k.CloneOrder {
		if a == argument {
			return i
		}
	}
	panic("clone has no such argument")
}

// call is a clone as a person would write it.
func call(flags uint64) string { return fmt.Sprintf("clone(flags=%#x)", flags) }
