package diagnose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	// Log returns the kernel's log, "" where it cannot be read. May be nil.
	Log func() string
	// Tell is called with the report when the program has ended, and before that some
	// time after a refusal that no later success followed.
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
	told    any // the story that was told last; see storyOf
	verdict string
	tellErr error
	needs   []Text
	hangs   bool
}

func (s Session) begin(command []string) (*session, error) {
	kernel, known := abi.Lookup(runtime.GOARCH)
	if !known {
		return nil, fmt.Errorf("mapstack knows no system calls of %s; add a table to poc/abi", runtime.GOARCH)
	}
	warm()
	d := &session{Session: s, command: command, hangs: kernel.GoLosesCloneError}
	d.journal = newJournal(s.Root, kernel, func() { d.tell(0, false) })
	d.journal.launched = len(command) > 0
	if s.Log != nil {
		d.journal.log = s.Log
	}
	return d, nil
}

func (d *session) options() watch.Options {
	return watch.Options{Observer: d.journal, Signals: d.Signals, Wake: d.journal.alarm.C}
}

// Run starts a program and diagnoses it. The program dies with the context. It
// fails when the program cannot be started.
func (s Session) Run(ctx context.Context, c watch.Command) (Outcome, error) {
	d, err := s.begin(c.Args)
	if err != nil {
		return Outcome{}, err
	}
	status, err := watch.Run(ctx, c, d.options())
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without #!: shells and execvp(3) run it by sh.
		c.Path, c.Args = "/bin/sh", append([]string{"sh", c.Path}, c.Args[1:]...)
		status, err = watch.Run(ctx, c, d.options())
	}
	if errors.Is(err, watch.ErrForbidden) {
		d.needs = needs(s.Root, 0, absolute(c.Path), err)
		d.journal.heardOnly = true
		status, err = watch.Listen(ctx, c, d.options())
	}
	if err != nil {
		return Outcome{}, err
	}
	d.ended(status)
	d.tell(status, true)
	return Outcome{d.verdict, status, true}, d.tellErr
}

// Attach diagnoses a program that runs, until it ends or the context does. It
// fails when there is no such program. A program that may not be traced is judged
// by its limits alone.
func (s Session) Attach(ctx context.Context, pid int) (Outcome, error) {
	d, err := s.begin(nil)
	if err != nil {
		return Outcome{}, err
	}
	status, ended, err := watch.Attach(ctx, pid, d.options())
	if errors.Is(err, watch.ErrForbidden) {
		d.needs = needs(s.Root, pid, "", err)
		d.journal.Started(pid)
		err = nil
		if d.journal.before.PID == 0 {
			err = fmt.Errorf("process %d has ended, or cannot be read", pid)
		}
	}
	if err != nil {
		return Outcome{}, err
	}
	if ended {
		d.ended(status)
	}
	d.tell(status, ended)
	return Outcome{d.verdict, status, ended}, d.tellErr
}

// ended notes how the program ended, where nobody watched its death.
func (d *session) ended(status syscall.WaitStatus) {
	if d.journal.deathOf(d.journal.pid) == nil {
		d.journal.Died(watch.Death{PID: d.journal.pid, Status: status}, watch.Thread{})
	}
}

// storyOf returns what a report is about, nil for one without a story. Reports with equal
// ones say the same.
func (d *session) storyOf(r Report) any {
	if w := d.journal.wrong(); w != nil {
		return *w
	}
	if r.Verdict == "unknown" && len(r.Needs) == 0 {
		return r.Causes[0].ID // it stands still
	}
	return nil
}

// tell makes the report and passes it to Tell. What was told before is not told again
// at length.
func (d *session) tell(status syscall.WaitStatus, ended bool) {
	r := d.reportOf(status, ended)
	story := d.storyOf(r)
	r.Again = story != nil && story == d.told
	if r.Again && !ended {
		return
	}
	d.told = story
	d.verdict = r.Verdict
	d.tellErr = errors.Join(d.tellErr, d.Tell(r))
}

// absolute returns the absolute path of a file, or the path as it is.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}
