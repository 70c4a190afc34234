package diagnose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/poc/abi"
)

// Session is one diagnosis.
type Session struct {
	// Root is the machine's root directory.
	Root fs.FS
	// Installed reports whether a tool can be run.
	Installed func(tool string) bool
	// Signals are passed to a program that is started. May be nil.
	Signals <-chan os.Signal
	// Tell is called once with the report: when the program has ended, or some time
	// after a refusal that no later success followed.
	Tell func(Report) error
}

// Outcome is what a command needs to choose its exit status.
type Outcome struct {
	Verdict string
	Status  syscall.WaitStatus
	Ended   bool
}

// session is one diagnosis while it runs.
type session struct {
	Session
	journal *journal
	command []string
	told    bool
	verdict string
	tellErr error
	needs   []Text
	hangs   bool
}

// Threads that are needed at once besides the one that traces, or that starts the program.
const (
	// There is one already. The runtime may keep that to wait for files.
	adoptThreads = 1
	// Signals are waited for too.
	attachThreads = 3
	// The end of the program and its words are waited for too.
	listenThreads = 5
)

func (s Session) begin(command []string, threads int) (*session, error) {
	kernel, known := abi.Lookup(runtime.GOARCH)
	if !known {
		return nil, fmt.Errorf("mapstack knows no system calls of %s; add a table to poc/abi", runtime.GOARCH)
	}
	warm(threads)
	d := &session{Session: s, command: command, hangs: kernel.GoLosesCloneError}
	d.journal = newJournal(s.Root, kernel, func() { d.tell(0, false) })
	return d, nil
}

func (d *session) options() watch.Options {
	return watch.Options{Observer: d.journal, Ended: d.ended, Signals: d.Signals, Wake: d.journal.alarm.C}
}

// Adopt diagnoses the program that watch.Launch made, in the process that was started to
// watch it. command is that of the program. Adopt returns when there is nothing to watch
// any more.
func (s Session) Adopt(a watch.Adoption, command []string) error {
	d, err := s.begin(command, adoptThreads)
	if err != nil {
		return err
	}
	if err := watch.Adopt(a, d.options()); err != nil {
		return err
	}
	return d.tellErr
}

// Listen starts a program that cannot be traced, and diagnoses it by its words. why says
// why it cannot. The program dies with the context.
func (s Session) Listen(ctx context.Context, p watch.Program, why error) (Outcome, error) {
	d, err := s.begin(p.Args, listenThreads)
	if err != nil {
		return Outcome{}, err
	}
	d.needs = needs(s.Root, 0, why)
	status, err := watch.Listen(ctx, p, d.options())
	if err != nil {
		return Outcome{}, err
	}
	d.tell(status, true)
	return Outcome{d.verdict, status, true}, d.tellErr
}

// Refuse diagnoses why this process itself was refused one that watches.
func (s Session) Refuse(command []string, why *watch.NoRoomError) error {
	kernel, known := abi.Lookup(runtime.GOARCH)
	if !known {
		return why
	}
	d := &session{Session: s, command: command}
	d.journal = newJournal(s.Root, kernel, func() {})
	pid := os.Getpid()
	d.journal.Started(pid)
	d.journal.Attempt(watch.Attempt{Call: "clone", PID: pid, TID: pid, Errno: int(why.Errno)}, watch.Thread{})
	d.tell(0, false)
	return errors.Join(d.tellErr, why)
}

// ended tells the report of a program before its user learns that it has ended.
func (d *session) ended(status syscall.WaitStatus) { d.tell(status, true) }

// Attach diagnoses a program that runs, until it ends or the context does. It
// fails when there is no such program. A program that may not be traced is judged
// by its limits alone.
func (s Session) Attach(ctx context.Context, pid int) (Outcome, error) {
	d, err := s.begin(nil, attachThreads)
	if err != nil {
		return Outcome{}, err
	}
	status, ended, err := watch.Attach(ctx, pid, d.options())
	if errors.Is(err, watch.ErrForbidden) {
		d.needs = needs(s.Root, pid, err)
		d.journal.Started(pid)
		err = nil
		if d.journal.before.PID == 0 {
			err = fmt.Errorf("process %d has ended, or cannot be read", pid)
		}
	}
	if err != nil {
		return Outcome{}, err
	}
	d.tell(status, ended)
	return Outcome{d.verdict, status, ended}, d.tellErr
}

// tell makes the report and passes it to Tell, unless that has been done.
func (d *session) tell(status syscall.WaitStatus, ended bool) {
	if d.told {
		return
	}
	d.told = true
	r := d.reportOf(status, ended)
	d.verdict = r.Verdict
	d.tellErr = d.Tell(r)
}
