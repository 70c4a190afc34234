package newosproc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	// calm is how long nothing must happen before a program's threads are looked at.
	calm = 250 * time.Millisecond
	// rounds is the number of times that the one thread which sleeps for a time must
	// have slept, while all others did nothing.
	rounds = 10
)

// sleeper decides by its threads whether a Go program hangs. All threads but one wait in
// futex without a time limit, so that only another thread can wake them. The one is the
// runtime's sysmon (runtime/proc.go), which sleeps for 10 ms at most, looks at the others,
// and must have done so several times without waking one. What it sees is the same again
// each time, so it never will. If no thread is left that could wake others, the program
// hangs as well.
//
// A thread that runs, that a tracer stopped or that waits for a file is not that one. One
// that sleeps between two attempts is a second one. Then the program may still do
// something.
type sleeper struct {
	pid    int
	futex  uint64 // number of the call
	sleep  uint64 // number of nanosleep
	before map[int]waiting
	buffer [4096]byte
}

// waiting is a thread in a call.
type waiting struct {
	forever  bool // in futex, without a time limit
	switches int  // how often it has slept
}

// forget notes that something happened.
func (s *sleeper) forget() { s.before = nil }

// hangs reports whether the program hangs for certain. idle is the time in which nothing
// happened.
func (s *sleeper) hangs(idle time.Duration) bool {
	if idle < calm {
		return false
	}
	now := s.look()
	if now == nil || s.before == nil {
		s.before = now
		return false
	}
	same, awake, slept := compare(s.before, now)
	if !same || awake > 1 {
		s.before = now
		return false
	}
	return awake == 0 || slept >= rounds
}

// compare reports whether two looks show the same threads, and those that wait for ever
// have done nothing between. awake is the number of the other threads, and slept how
// often they slept between.
func compare(before, now map[int]waiting) (same bool, awake, slept int) {
	if len(before) != len(now) {
		return false, 0, 0
	}
	for tid, w := range now {
		was, there := before[tid]
		switch {
		case !there || was.forever != w.forever:
			return false, 0, 0
		case !w.forever:
			awake++
			slept += w.switches - was.switches
		case was.switches != w.switches:
			return false, 0, 0
		}
	}
	return true, awake, slept
}

// look returns how the threads wait. It returns nil if the program may do something, and
// if that cannot be read.
func (s *sleeper) look() map[int]waiting {
	folder := fmt.Sprintf("/proc/%d/task", s.pid)
	tasks, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer tasks.Close()
	names, err := tasks.Readdirnames(-1)
	if err != nil {
		return nil
	}
	threads, awake := map[int]waiting{}, 0
	for _, name := range names {
		tid, err := strconv.Atoi(name)
		if err != nil {
			return nil
		}
		call, forever := endless(s.read(folder+"/"+name+"/syscall"), s.futex)
		if !forever {
			if awake++; awake > 1 || call != s.sleep {
				return nil
			}
		}
		switches, asleep := slept(s.read(folder + "/" + name + "/status"))
		if !asleep {
			return nil
		}
		threads[tid] = waiting{forever, switches}
	}
	if len(threads) == awake {
		return nil // the program has only begun
	}
	return threads
}

// read returns the beginning of a file, or nothing. It gives no work to the garbage
// collector, which does not run.
func (s *sleeper) read(path string) []byte {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	n, err := syscall.Read(fd, s.buffer[:])
	if err != nil {
		return nil
	}
	return s.buffer[:n]
}

// none is no number of a call.
const none = ^uint64(0)

// endless reads /proc/PID/task/TID/syscall: the number of the call and six arguments. It
// reports whether the thread waits in futex without a time limit. The call is none for a
// thread that is in no call, or runs.
func endless(text []byte, futex uint64) (call uint64, forever bool) {
	const (
		wait, bitset = 0, 9 // FUTEX_WAIT, FUTEX_WAIT_BITSET (include/uapi/linux/futex.h)
		command      = 0x7f // FUTEX_CMD_MASK
	)
	f := bytes.Fields(text)
	if len(f) < 7 {
		return none, false
	}
	call, err := strconv.ParseUint(string(f[0]), 10, 64)
	if err != nil {
		return none, false
	}
	operation, err := strconv.ParseUint(string(f[2]), 0, 64)
	if err != nil {
		return none, false
	}
	operation &= command
	return call, call == futex && (operation == wait || operation == bitset) && string(f[4]) == "0x0"
}

// slept reads from the status file of a thread how often it has slept, and whether it
// sleeps now. A thread that a tracer stopped does not.
func slept(status []byte) (times int, asleep bool) {
	state := field(status, "State")
	n, err := strconv.Atoi(string(field(status, "voluntary_ctxt_switches")))
	return n, err == nil && len(state) > 0 && state[0] == 'S'
}

// field returns the value of a line of a status file.
func field(status []byte, key string) []byte {
	for len(status) > 0 {
		line := status
		if end := bytes.IndexByte(status, '\n'); end >= 0 {
			line, status = status[:end], status[end+1:]
		} else {
			status = nil
		}
		if len(line) > len(key) && line[len(key)] == ':' && string(line[:len(key)]) == key {
			return bytes.TrimSpace(line[len(key)+1:])
		}
	}
	return nil
}
