package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// threadsMax lowers kernel.threads-max, as root.
func threadsMax(p *probe.P) {
	prewarm()
	s := mustOpen("kernel/threads-max")
	defer s.restore()
	c := newCrowd(p, true, most+2)

	zero, one := s.set([]byte("0")), s.set([]byte("1"))
	_, refusal := c.add()
	s.restore()
	c.disperse()
	s.wrote(p, "zero", "0", zero).Emit()
	s.wrote(p, "one", "1", one).Emit()
	o := p.Observe("one.clone")
	o.Returned("clone", 0, refusal)
	o.Emit()

	// The kernel's own threads come and go. An attempt counts when none did.
	load, err := syscall.Open("/proc/loadavg", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	must(err)
	buf := make([]byte, 128)
	for try := 0; try < 20; try++ {
		before := threadsOf(load, buf)
		value := []byte(strconv.Itoa(before + room))
		errno := s.set(value)
		m := c.meet(most)
		after := threadsOf(load, buf)
		s.restore()
		if ended := c.disperse(); errno != 0 || before+ended != after {
			continue
		}
		m.emit(p, "", func(o *probe.Obs) {
			o.Set("max", string(value)).Set("before", before).Set("after", after)
		})
		break
	}
	c.one(p, "recovered")
}

// threadsOf is how many threads the machine has: the number after the slash in
// /proc/loadavg, which is the kernel's nr_threads.
func threadsOf(fd int, buf []byte) int {
	n, err := syscall.Pread(fd, buf, 0)
	must(err)
	f := strings.Fields(string(buf[:n]))
	total, err := strconv.Atoi(f[3][strings.IndexByte(f[3], '/')+1:])
	must(err)
	return total
}

// reserved is RESERVED_PIDS (kernel/pid.c): smaller IDs are not used again.
const reserved = 300

// pidMax lowers kernel.pid_max, as root, and uses up every ID.
func pidMax(p *probe.P) {
	prewarm()
	s := mustOpen("kernel/pid_max")
	defer s.restore()
	below, lowest := s.set([]byte("300")), s.set([]byte("301"))
	s.restore()
	s.wrote(p, "300", "300", below).Emit()
	s.wrote(p, "301", "301", lowest).Emit()

	// Children that have ended keep their IDs and little else.
	const capacity = 4096
	c := newCrowd(p, false, capacity)
	// Few IDs are to be used up, however many were used before. The short cut is
	// there where the kernel has CONFIG_CHECKPOINT_RESTORE.
	_ = os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(reserved)), 0)
	last := 0
	for last <= reserved {
		var errno syscall.Errno
		if last, errno = c.add(); errno != 0 {
			panic(errno)
		}
		c.remove()
	}
	max := last + 1 + room
	value := []byte(strconv.Itoa(max))
	errno := s.set(value)
	m := c.meet(capacity - 2)
	free, outside := 0, 0
	for id := reserved; id < max; id++ {
		if syscall.Kill(id, 0) == syscall.ESRCH {
			free++
		}
	}
	s.restore()
	for _, id := range c.pids {
		if id < reserved || id >= max {
			outside++
		}
	}
	s.wrote(p, "set", string(value), errno).Emit()
	m.emit(p, "", func(o *probe.Obs) { o.Set("max", max).Set("free", free).Set("outside", outside) })
	c.disperse()
	c.one(p, "recovered")
}

// insiders is what a PID namespace sets its own pid_max to: more than any
// kernel's minimum, and nobody's default.
const insiders = 12345

// pidNamespace reads kernel.pid_max before and after it is set in a PID
// namespace below.
func pidNamespace(p *probe.P) {
	s := mustOpen("kernel/pid_max")
	defer s.restore()
	before := s.value()
	p.Observe("child").Child(probe.Child{Name: "pidns.inner", Attr: func(a *syscall.SysProcAttr) {
		a.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
	}}).Emit()
	p.Observe("outside").Set("before", before).Set("after", s.value()).Emit()
}

func insidePIDNamespace(p *probe.P) {
	// Which namespace a sysctl is of is decided by the mount.
	must(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(syscall.Mount("proc", "/proc", "proc", 0, ""))
	s := mustOpen("kernel/pid_max")
	value := strconv.Itoa(insiders)
	s.wrote(p, "write", value, s.set([]byte(value))).Set("value", s.value()).Emit()
}
