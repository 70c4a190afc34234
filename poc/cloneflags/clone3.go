package cloneflags

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// clone3Children makes real processes, one for each field of clone3's struct. Each runs on
// a stack of its own and shares no memory, so that only it dies of a wrong stack.
func clone3Children(p *probe.P) {
	c := newChildren(p)
	if c == nil {
		return
	}
	c.child("stack", map[int]uint64{}, func(o *probe.Obs, pid int, stack sys.Stack) { c.onStack(o, pid, stack) })
	c.child("tids", map[int]uint64{
		wFlags: parentSetTID | childSetTID, wParentTID: uint64(c.parentTID()), wChildTID: uint64(c.childTID()),
	}, c.stored)
	c.child("pidfd", map[int]uint64{wFlags: pidFD, wPidFD: uint64(c.pidfd())}, func(o *probe.Obs, pid int, _ sys.Stack) {
		c.refers(o, pid)
	})
	c.child("sighand", map[int]uint64{}, handlers)
	c.tlsOfClone3()
	last := c.child("clear_sighand", map[int]uint64{wFlags: clearSighand}, handlers)
	c.setTIDs(last)
	c.cgroups()
}

// look observes a child that exists.
type look func(o *probe.Obs, pid int, stack sys.Stack)

// child makes one process, observes it, and ends it. It returns the process's ID.
func (c *children) child(step string, args map[int]uint64, look look) int {
	o := c.Observe(step)
	defer o.Emit()
	args[wExitSignal] = c.Kernel.Signal.Chld
	pid, stack, ok := c.clone3(o, args)
	if !ok {
		return 0
	}
	if look != nil {
		look(o, pid, stack)
	}
	c.end(pid)
	return pid
}

// stored records whether the child's ID is where clone3 was asked to store it. The child
// stores its own copy before it does anything else.
func (c *children) stored(o *probe.Obs, pid int, _ sys.Stack) {
	o.Set("parent-tid", atomic.LoadUint32(&c.at.parentTID) == uint32(pid))
	if _, alive, err := c.settle(pid); !alive {
		o.Unknown("child-tid", fmt.Sprintf("the child died: %v", err))
		return
	}
	o.Set("child-tid", atomic.LoadUint32(&c.at.childTID) == uint32(pid))
}

// handlers records whether the child handles any signal. Its parent handles many, as every
// Go program does.
func handlers(o *probe.Obs, pid int, _ sys.Stack) {
	mask, err := field(fmt.Sprintf("/proc/%d/status", pid), "SigCgt:")
	if err != nil {
		o.Unknown("caught", err.Error())
		return
	}
	o.Set("caught", strings.Trim(mask, "0") != "")
}

// setTIDs asks for an ID that nobody has, because its process ended, and for one in use.
func (c *children) setTIDs(free int) {
	args := func() map[int]uint64 { return map[int]uint64{wSetTID: uint64(c.setTID()), wSetTIDSize: 1} }
	if c.chosen = free; free != 0 {
		c.child("set_tid", args(), func(o *probe.Obs, pid int, _ sys.Stack) { o.Set("chosen", pid == free) })
	}
	c.chosen = os.Getpid()
	c.child("set_tid in use", args(), nil)
	c.chosen = 0
}

// version2 is CGROUP2_SUPER_MAGIC (include/uapi/linux/magic.h).
const version2 = 0x63677270

// cgroups starts a child in a control group that is made for it, and in descriptors that
// are no control group.
func (c *children) cgroups() {
	if file, err := os.Open(os.DevNull); err == nil {
		c.child("into_cgroup of a device", map[int]uint64{wFlags: intoCgroup, wCgroup: uint64(file.Fd())}, nil)
		file.Close()
	}
	c.child("into_cgroup of no file", map[int]uint64{wFlags: intoCgroup, wCgroup: 1 << 30}, nil)

	made := c.group()
	if made == "" {
		c.Observe("into_cgroup").Unknown("inside", "there is no control group, see step group").Emit()
		return
	}
	defer limit.Group(made).Clear()
	args := map[int]uint64{wFlags: intoCgroup}
	folder, err := os.Open(made)
	if err == nil {
		defer folder.Close()
		args[wCgroup] = uint64(folder.Fd())
	}
	c.child("into_cgroup", args, func(o *probe.Obs, pid int, _ sys.Stack) {
		text, err := os.ReadFile(filepath.Join(made, "cgroup.procs"))
		if err != nil {
			o.Unknown("inside", err.Error())
			return
		}
		inside := false
		for _, member := range strings.Fields(string(text)) {
			inside = inside || member == strconv.Itoa(pid)
		}
		o.Set("inside", inside)
	})
}

// group makes a control group and returns its folder, "" if there is none.
func (c *children) group() string {
	o := c.Observe("group")
	defer o.Emit()
	var system syscall.Statfs_t
	if err := syscall.Statfs(limit.Version2, &system); err != nil || int64(system.Type) != version2 {
		o.Unknown("ret", fmt.Sprintf("no control groups of version 2 are mounted on %s", limit.Version2))
		return ""
	}
	group := filepath.Join(limit.Version2, fmt.Sprintf("mapstack-clone-%d", os.Getpid()))
	if !o.Returned("mkdir("+group+")", 0, limit.ErrnoOf(os.Mkdir(group, 0o755))) {
		return ""
	}
	return group
}

// clone3Thread makes a thread by clone3 with all that glibc's pthread_create asks for. It
// shares all memory, so that a wrong stack ends this process.
func clone3Thread(p *probe.P) {
	c := newChildren(p)
	if c == nil {
		return
	}
	o := c.Observe("thread")
	defer o.Emit()
	tid, stack, ok := c.clone3(o, map[int]uint64{
		wFlags: glibcThread, wTLS: uint64(c.tls()), wParentTID: uint64(c.parentTID()), wChildTID: uint64(c.childTID()),
	})
	if ok {
		c.thread(o, tid, stack)
	}
}

// libcThreads makes threads by clone with the flags of glibc and of musl, and a process
// with a thread register of its own.
func libcThreads(p *probe.P) {
	c := newChildren(p)
	if c == nil {
		return
	}
	for _, row := range []legacyRow{{"glibc", glibcThread}, {"musl", muslThread}} {
		o := c.Observe(row.step)
		tid, stack, errno, err := c.Kernel.CloneOnStack(sys.CloneArgs{
			Flags: row.flags, TLS: c.tls(), ParentTID: c.parentTID(), ChildTID: c.childTID(),
		}, c.wait())
		if err != nil {
			o.Unknown("ret", err.Error())
		} else if o.Returned(describe(row.flags), uintptr(tid), errno) {
			c.thread(o, tid, stack)
		}
		o.Emit()
	}
	c.tlsOfClone()
}

// thread observes a thread, lets it end, and waits as pthread_join does: until the kernel
// clears the word at child_tid.
func (c *children) thread(o *probe.Obs, tid int, stack sys.Stack) {
	o.Set("parent-tid", atomic.LoadUint32(&c.at.parentTID) == uint32(tid))
	c.onStack(o, tid, stack)
	// CLONE_CHILD_SETTID is not among the flags: libcs write the word themselves.
	atomic.StoreUint32(&c.at.childTID, uint32(tid))
	c.open()
	o.Set("cleared", c.cleared(uint32(tid)))
}

// cleared waits on child_tid as on a futex, which the kernel wakes.
func (c *children) cleared(tid uint32) bool {
	for left := syscall.NsecToTimespec(int64(probe.Patience(patience))); atomic.LoadUint32(&c.at.childTID) != 0; {
		if errno := c.await(c.childTID(), tid, &left); errno == syscall.ETIMEDOUT {
			return false
		}
	}
	return true
}
