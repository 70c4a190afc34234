package main

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
// runtime's sysmon (runtime/proc.go), which looks at the others every 10 ms at most, and
// must have done so several times without waking one. What it sees is the same again
// each time, so it never will. If no thread is left that could wake others, the program
// hangs as well.
//
// A thread that runs, that waits for a file or that sleeps between two attempts is not
// that one, or it is a second one. Then the program may still do something.
type sleeper struct {
	pid    int
	futex  uint64 // number of the call
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

// look returns how the threads wait. It returns nil if more than one could wake others,
// and if that cannot be read.
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
		forever, ok := endless(s.read(folder+"/"+name+"/syscall"), s.futex)
		if !ok {
			return nil
		}
		if !forever {
			if awake++; awake > 1 {
				return nil
			}
		}
		switches, ok := slept(s.read(folder + "/" + name + "/status"))
		if !ok {
			return nil
		}
		threads[tid] = waiting{forever, switches}
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

// endless reads /proc/PID/task/TID/syscall: the number of the call and six arguments. It
// reports whether the thread waits in futex without a time limit. It returns false for a
// thread that is in no call.
func endless(text []byte, futex uint64) (forever, ok bool) {
	const (
		wait, bitset = 0, 9 // FUTEX_WAIT, FUTEX_WAIT_BITSET (include/uapi/linux/futex.h)
		command      = 0x7f // FUTEX_CMD_MASK
	)
	f := bytes.Fields(text)
	if len(f) < 7 {
		return false, false
	}
	number, err := strconv.ParseUint(string(f[0]), 10, 64)
	if err != nil {
		return false, false
	}
	operation, err := strconv.ParseUint(string(f[2]), 0, 64)
	if err != nil {
		return false, false
	}
	operation &= command
	return number == futex && (operation == wait || operation == bitset) && string(f[4]) == "0x0", true
}

// slept reads how often a thread has slept from its status file.
func slept(status []byte) (int, bool) {
	const key = "\nvoluntary_ctxt_switches:"
	i := bytes.Index(status, []byte(key))
	if i < 0 {
		return 0, false
	}
	line := status[i+len(key):]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	return n, err == nil
}
