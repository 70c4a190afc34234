package qemu

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxStretch bounds how much longer than its limit a wait may take on a busy host.
const maxStretch = 10

const (
	// maxTick is the longest time between two looks at a process that is waited for.
	maxTick = 5 * time.Second
	// maxStopped is how long a process may be stopped by a signal until it is given up. Who
	// stops it and lets it go on at once does no harm.
	maxStopped = 10 * time.Second
)

// LateError says that a wait took longer than its limit.
type LateError struct {
	Limit time.Duration
	// Took is the time that passed, and Starved the part of it in which the process could not
	// run.
	Took, Starved time.Duration
}

func (e *LateError) Error() string {
	text := fmt.Sprintf("within the limit of %v", e.Limit)
	if e.Starved >= e.Limit/10 {
		text += fmt.Sprintf(" (it took %v, %v of it in wait for a CPU of this busy host)", e.Took.Round(time.Millisecond), e.Starved.Round(time.Millisecond))
	}
	return text
}

// Is makes a LateError a context.DeadlineExceeded.
func (e *LateError) Is(target error) bool { return target == context.DeadlineExceeded }

// StoppedError says that a process could do nothing, because somebody stopped it.
type StoppedError struct{ For time.Duration }

func (e *StoppedError) Error() string {
	return fmt.Sprintf("a signal or a debugger has kept the process stopped for %v", e.For.Round(time.Millisecond))
}

// Await is the function Await for QEMU.
func (m *Machine) Await(limit time.Duration) (late <-chan error, stop func()) {
	return Await(m.Pid(), limit)
}

// Await returns a channel that gets a *LateError once a process had the time limit to do
// something, or a *StoppedError if it is kept from doing anything. Time in which it was ready
// to run and got no CPU does not count: it was not silent then. The caller must call stop.
func Await(pid int, limit time.Duration) (late <-chan error, stop func()) {
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		if err := await(limit, starvation(pid), func() bool { return stopped(pid) }, done); err != nil {
			ended <- err
		}
	}()
	return ended, func() { close(done) }
}

// await returns the error of Await after limit, or nil once done is closed. starved returns for
// how long the process was kept from running since the last call, and stopped whether it is
// stopped.
func await(limit time.Duration, starved func() time.Duration, stopped func() bool, done <-chan struct{}) error {
	tick := min(max(limit/16, time.Millisecond), maxTick)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	began := time.Now()
	before, running := began, began // running is when it was last seen not to be stopped
	counted, lost := time.Duration(0), time.Duration(0)
	for first := true; ; first = false {
		select {
		case <-done:
			return nil
		case <-ticker.C:
		}
		now := time.Now()
		if first {
			// Most waits end sooner, and a look costs: the kernel keeps what was looked up in
			// /proc, and has to find and drop it when the process ends. So the limit begins here.
			starved()
			before = now
			continue
		}
		passed := now.Sub(before)
		before = now
		kept := min(starved(), passed)
		// This process was not run either.
		kept = max(kept, passed-2*tick)
		lost += kept
		counted += passed - kept
		if !stopped() {
			running = now
		} else if held := now.Sub(running); held >= min(limit/2, maxStopped) {
			return &StoppedError{held}
		}
		if took := now.Sub(began); counted >= limit || took >= maxStretch*limit {
			return &LateError{limit, took, lost}
		}
	}
}

// within returns a context that ends as Await does.
func (m *Machine) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	late, stop := m.Await(limit)
	go func() {
		select {
		case err := <-late:
			cancel(err)
		case <-ctx.Done():
		}
		stop()
	}()
	return ctx, func() { cancel(nil) }
}

// starvation returns a function that says for how long a process was ready to run and got
// no CPU since the last call: the longest of its threads, since one may hold a lock that
// the others want. Where the kernel does not count that, the host's pressure is taken.
func starvation(pid int) func() time.Duration {
	threads := map[string]time.Duration{}
	var pressed time.Duration
	return func() (most time.Duration) {
		dirs, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		counted := false
		for _, d := range dirs {
			_, waited := schedstat(pid, d.Name())
			counted = counted || waited > 0
			if last, known := threads[d.Name()]; known {
				most = max(most, waited-last)
			}
			threads[d.Name()] = waited
		}
		now := pressure(readText("/proc/pressure/cpu"))
		waited := now - pressed
		pressed = now
		if !counted {
			return max(waited, 0)
		}
		return most
	}
}

// Pace says for how long a thread ran, and for how long it was ready to run and got no CPU.
type Pace struct{ Ran, Waited time.Duration }

// Paces has the pace of each thread of a process since it began, by the thread's number.
type Paces map[string]Pace

// Since returns the pace of the thread that ran longest after an earlier look. In QEMU that is
// one that runs the guest; the others wait more than they run. It is zero if nothing is known.
func (p Paces) Since(earlier Paces) (busiest Pace) {
	for thread, now := range p {
		before := earlier[thread]
		if ran := now.Ran - before.Ran; ran > busiest.Ran {
			busiest = Pace{ran, max(now.Waited-before.Waited, 0)}
		}
	}
	return busiest
}

// Paces returns the paces of QEMU's threads. It is empty where the kernel does not count.
func (m *Machine) Paces() Paces { return pacesOf(m.Pid()) }

func pacesOf(pid int) Paces {
	p := Paces{}
	dirs, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, d := range dirs {
		ran, waited := schedstat(pid, d.Name())
		p[d.Name()] = Pace{ran, waited}
	}
	return p
}

// schedstat returns for how long a thread ran, and for how long it was on a run queue; zeros if
// that cannot be read (Documentation/scheduler/sched-stats.rst).
func schedstat(pid int, thread string) (ran, waited time.Duration) {
	fields := strings.Fields(readText(filepath.Join("/proc", strconv.Itoa(pid), "task", thread, "schedstat")))
	if len(fields) != 3 {
		return 0, 0
	}
	first, err := strconv.ParseInt(fields[0], 10, 64)
	second, wrong := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || wrong != nil {
		return 0, 0
	}
	return time.Duration(first), time.Duration(second)
}

// pressure returns for how long some task of the host has waited for a CPU
// (Documentation/accounting/psi.rst); 0 if the kernel does not say.
func pressure(text string) time.Duration {
	first, _, _ := strings.Cut(text, "\n")
	_, total, ok := strings.Cut(first, "total=")
	us, err := strconv.ParseInt(total, 10, 64)
	if !ok || err != nil || !strings.HasPrefix(first, "some ") {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// stopped reports whether a signal or a debugger keeps a process from running.
func stopped(pid int) bool {
	// The name of the program, in brackets, may have any character (proc_pid_stat(5)).
	text := readText(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	return len(fields) > 0 && (fields[0] == "T" || fields[0] == "t")
}

// readText returns the content of a small file of /proc; "" if it cannot be read.
func readText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}
