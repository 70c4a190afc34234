package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/wire"
)

// tick is the longest time between two looks at whether a child has ended. The end of
// its output tells that earlier, unless processes that it left behind hold the pipes.
const tick = 20 * time.Millisecond

// following is a child while it runs. It uses no goroutine and no timer, so that it works
// in a copy of this process too.
type following struct {
	pid            int
	stdout, stderr int // ends of the pipes to read from, -1 at their end
	limit          time.Duration
	deadline       time.Time
	said           []byte // the head of stderr

	ended    bool
	status   syscall.WaitStatus
	timedOut bool
	stuck    string // where it was when it was killed after its time
}

// follow makes pipes and starts a child with their other ends.
func follow(limit time.Duration, start func(stdout, stderr int) (int, error)) (*following, error) {
	var out, words [2]int
	if err := syscall.Pipe2(out[:], syscall.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	if err := syscall.Pipe2(words[:], syscall.O_CLOEXEC); err != nil {
		shut(&out[0])
		shut(&out[1])
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	pid, err := start(out[1], words[1])
	shut(&out[1])
	shut(&words[1])
	if err != nil {
		shut(&out[0])
		shut(&words[0])
		return nil, err
	}
	return &following{pid: pid, stdout: out[0], stderr: words[0], limit: limit, deadline: time.Now().Add(limit)}, nil
}

// end passes on what the child observes, and returns how it ended.
func (f *following) end(observe func(wire.Observation)) wire.Exit {
	exit := wire.Exit{Dropped: wire.ReadObservations(f, maxChildLine, maxChildLines, observe)}
	for (!f.ended || f.stderr >= 0) && !f.late() {
		f.hear(nil)
	}
	shut(&f.stdout)
	shut(&f.stderr)
	exit.TimedOut, exit.Stuck, exit.Stderr, exit.Code = f.timedOut, f.stuck, string(f.said), f.status.ExitStatus()
	if f.status.Signaled() {
		exit.Signal = f.status.Signal().String()
	}
	return exit
}

// errHeld is the error of a pipe that a process still holds long after the child ended.
var errHeld = errors.New("another process holds the child's pipe")

// Read reads the child's stdout. Meanwhile it keeps the head of stderr.
func (f *following) Read(b []byte) (int, error) {
	for f.stdout >= 0 {
		if n := f.hear(b); n > 0 {
			return n, nil
		}
		if f.late() {
			return 0, errHeld
		}
	}
	return 0, io.EOF
}

// late reports whether a child that has ended was waited for long enough.
func (f *following) late() bool { return f.ended && time.Now().After(f.deadline) }

// hear waits until the child says something, or for a tick. It reads stdout to b, unless
// that is nil, and returns the number of bytes.
func (f *following) hear(b []byte) (n int) {
	wait := tick
	if f.stdout < 0 && f.stderr < 0 {
		wait = tick / 20 // it is about to end
	}
	heard := readable(wait, f.stdout, f.stderr)
	if heard[1] {
		var words [512]byte
		got := take(&f.stderr, words[:])
		if room := maxChildStderr - len(f.said); got > room {
			got = room
		}
		f.said = append(f.said, words[:got]...)
	}
	if heard[0] && b != nil {
		n = take(&f.stdout, b)
	}
	f.look()
	return n
}

// look notices the end of the child. It kills a child that takes too long, and in any
// case what the child leaves behind, which would hold the pipes.
func (f *following) look() {
	if f.ended {
		return
	}
	if pid, err := syscall.Wait4(f.pid, &f.status, syscall.WNOHANG, nil); pid == f.pid || err == syscall.ECHILD {
		f.ended = true
		_ = syscall.Kill(-f.pid, syscall.SIGKILL)
		f.deadline = time.Now().Add(Patience(pipeWait))
	} else if !f.timedOut && time.Now().After(f.deadline) {
		f.timedOut, f.stuck = true, fmt.Sprintf("after %v: %s", f.limit, stuck(f.pid))
		_, _ = syscall.Kill(f.pid, syscall.SIGKILL), syscall.Kill(-f.pid, syscall.SIGKILL)
	}
}

// maxStuck bounds how many threads stuck looks at.
const maxStuck = 8

// stuck says for each thread of a process its state, the call that it is in with the arguments,
// and the place in the kernel where it waits, as far as the kernel tells.
func stuck(pid int) string {
	folder := fmt.Sprintf("/proc/%d/task", pid)
	dir, err := os.Open(folder)
	if err != nil {
		return err.Error()
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxStuck)
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, name := range names {
		said := name
		for _, file := range []string{"stat", "syscall", "wchan"} {
			text, err := os.ReadFile(folder + "/" + name + "/" + file)
			if err != nil {
				text = []byte("?")
			}
			if file == "stat" {
				// The name in parentheses may hold anything; the state follows the last of them.
				text = bytes.TrimSpace(text[bytes.LastIndexByte(text, ')')+1:])
				if len(text) > 1 {
					text = text[:1]
				}
			}
			said += " " + string(bytes.TrimSpace(text))
		}
		all = append(all, said)
	}
	return strings.Join(all, "; ")
}

// take reads from a pipe, and closes it at its end.
func take(fd *int, b []byte) int {
	n, err := syscall.Read(*fd, b)
	if err == syscall.EINTR {
		return 0
	}
	if n <= 0 {
		shut(fd)
		return 0
	}
	return n
}

// shut closes a pipe, unless that was done before.
func shut(fd *int) {
	if *fd >= 0 {
		_ = syscall.Close(*fd)
	}
	*fd = -1
}

// readable waits until one of two pipes can be read or is at its end, and reports which
// of them. One that is -1 never is.
func readable(wait time.Duration, first, second int) (ready [2]bool) {
	const input, end = 1, 0x10 // POLLIN, POLLHUP (include/uapi/asm-generic/poll.h)
	polled := [2]struct {
		fd               int32
		events, answered int16
	}{{fd: int32(first), events: input}, {fd: int32(second), events: input}}
	timeout := syscall.NsecToTimespec(wait.Nanoseconds())
	_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&polled)), uintptr(len(polled)),
		uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
	for i := range polled {
		ready[i] = errno == 0 && polled[i].answered&(input|end) != 0
	}
	return ready
}
