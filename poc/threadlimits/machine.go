package threadlimits

import (
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// threadsMax lowers kernel.threads-max as root.
func threadsMax(p *probe.P) {
	s := limit.MustOpen("kernel/threads-max")
	defer s.Restore()
	c := newCrowd(p, true, most+2)

	zero, one := s.Set([]byte("0")), s.Set([]byte("1"))
	_, refusal := c.add()
	s.Restore()
	c.disperse()
	s.Wrote(p, "zero", "0", zero).Emit()
	s.Wrote(p, "one", "1", one).Emit()
	o := p.Observe("one.clone")
	o.Returned("clone", 0, refusal)
	o.Emit()
	if one != 0 {
		oldMinimum(p, s, c)
	}
	meetQuietly(p, s, c)
	c.one(p, "recovered")
}

// oldMinimum writes 20, the least value of kernels before 5.4.
func oldMinimum(p *probe.P, s *limit.Sysctl, c *crowd) {
	twenty := s.Set([]byte("20"))
	_, refusal := c.add()
	s.Restore()
	c.disperse()
	s.Wrote(p, "twenty", "20", twenty).Emit()
	o := p.Observe("twenty.clone")
	o.Returned("clone", 0, refusal)
	o.Emit()
}

const (
	// patience bounds the search for an attempt that nobody disturbed. A busy machine
	// has one within seconds.
	patience = 20 * time.Second
	// longestPause is the longest time between two attempts.
	longestPause = 200 * time.Millisecond
)

// meetQuietly reaches kernel.threads-max. Threads of the kernel and of others come and
// go. Only an attempt during which none did is recorded.
func meetQuietly(p *probe.P, s *limit.Sysctl, c *crowd) {
	load, err := syscall.Open("/proc/loadavg", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	limit.Must(err)
	buf := make([]byte, 128)
	attempts, drifts := 0, map[int]bool{}
	end := time.Now().Add(probe.Patience(patience))
	for pause := time.Millisecond; time.Now().Before(end); pause *= 2 {
		attempts++
		before := limit.Threads(load, buf)
		value := []byte(strconv.Itoa(before + room))
		errno := s.Set(value)
		m := c.meet(most)
		after := limit.Threads(load, buf)
		s.Restore()
		drift := after - before - c.disperse()
		if errno != 0 {
			s.Wrote(p, "set", string(value), errno).Emit()
			return
		}
		if drift == 0 {
			m.emit(p, "", func(o *probe.Obs) {
				o.Set("max", string(value)).Set("before", before).Set("after", after)
			})
			return
		}
		drifts[drift] = true
		if pause > longestPause {
			pause = longestPause
		}
		limit.Pause(pause)
	}
	// Others' threads make different numbers. The same number each time would be the
	// kernel's own miscount.
	p.Observe("disturbed").Set("attempts", attempts).Set("drifts", len(drifts)).Emit()
}

// pidMax lowers kernel.pid_max as root and uses up every ID.
func pidMax(p *probe.P) {
	s := limit.MustOpen("kernel/pid_max")
	defer s.Restore()
	below, lowest := s.Set([]byte("300")), s.Set([]byte("301"))
	s.Restore()
	s.Wrote(p, "300", "300", below).Emit()
	s.Wrote(p, "301", "301", lowest).Emit()

	// Children that have ended keep their IDs and need little else.
	const capacity = 4096
	c := newCrowd(p, false, capacity)
	last := passReserved(c)
	// Without the short cut so many IDs may have been used that the children would be
	// too many. The kernel then begins anew. On a machine with many CPUs the least value
	// is larger.
	const largest = limit.Reserved + capacity - room
	max := last + 1 + room
	if max > largest/4 {
		max = largest / 4
	}
	value := []byte(strconv.Itoa(max))
	errno := s.Set(value)
	for errno == syscall.EINVAL && 2*max <= largest {
		max *= 2
		value = []byte(strconv.Itoa(max))
		errno = s.Set(value)
	}
	m := c.meet(capacity - 2)
	free, outside, reserved := 0, 0, 0
	for id := limit.Reserved; id < max; id++ {
		if syscall.Kill(id, 0) == syscall.ESRCH {
			free++
		}
	}
	s.Restore()
	for _, id := range c.pids {
		if id >= max {
			outside++
		}
		if id < limit.Reserved {
			reserved++
		}
	}
	s.Wrote(p, "set", string(value), errno).Emit()
	m.emit(p, "", func(o *probe.Obs) {
		o.Set("max", max).Set("free", free).Set("outside", outside).Set("reserved", reserved)
	})
	c.disperse()
	c.one(p, "recovered")
}

// passReserved uses IDs until the kernel gives none below limit.Reserved any more, and
// returns the last one.
func passReserved(c *crowd) (last int) {
	// Only few IDs should be used up, even if many were used before. This short cut
	// exists only with CONFIG_CHECKPOINT_RESTORE.
	_ = os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(limit.Reserved)), 0)
	for last <= limit.Reserved {
		var errno syscall.Errno
		if last, errno = c.add(); errno != 0 {
			panic(errno)
		}
		c.remove()
	}
	return last
}

// insiders is the pid_max that a PID namespace sets for itself. It is above the
// minimum of every kernel, and not a default value.
const insiders = 12345

// pidNamespace reads kernel.pid_max before and after a child PID namespace sets its
// own.
func pidNamespace(p *probe.P) {
	s := limit.MustOpen("kernel/pid_max")
	defer s.Restore()
	before := s.Value()
	copied(p, "child", probe.Copy{Name: "pidns.inner", Namespaces: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS})
	p.Observe("outside").Set("before", before).Set("after", s.Value()).Emit()
}

func insidePIDNamespace(p *probe.P) {
	// The mount of /proc decides to which namespace a sysctl belongs.
	limit.Must(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	limit.Must(syscall.Mount("proc", "/proc", "proc", 0, ""))
	s := limit.MustOpen("kernel/pid_max")
	value := strconv.Itoa(insiders)
	s.Wrote(p, "write", value, s.Set([]byte(value))).Set("value", s.Value()).Emit()
}
