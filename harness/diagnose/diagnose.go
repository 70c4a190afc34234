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
	status  syscall.WaitStatus
	over    bool // the program has ended, as status says
	// unstarted reports that there was no room to watch the program.
	unstarted bool
	told      any // the story that was told last; see storyOf
	verdict   string
	tellErr   error
	needs     []Text
	hangs     bool
}

// Threads that are needed at once besides the one that traces, or that starts the program.
const (
	// There is one already. The runtime may keep that to wait for files, and another one may
	// not be quite idle when it is needed.
	adoptThreads = 2
	// Where the processor is slow, the runtime gives the work of a thread that reads a file
	// to another one, which may wait for the kernel too. Threads of root do not count
	// against RLIMIT_NPROC.
	adoptThreadsOfRoot = adoptThreads + 1
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
	d.journal = newJournal(s.Root, kernel, func() { d.tell(false) })
	d.journal.launched = len(command) > 0
	if s.Log != nil {
		d.journal.log = s.Log
	}
	return d, nil
}

func (d *session) options() watch.Options {
	return watch.Options{Observer: d.journal, Ended: d.ended, Signals: d.Signals, Wake: d.journal.alarm.C}
}

// Adopt diagnoses the program that watch.Launch made, in the process that was started to
// watch it. command is that of the program. Adopt returns when there is nothing to watch
// any more.
func (s Session) Adopt(a watch.Adoption, command []string) error {
	threads := adoptThreads
	if os.Geteuid() == 0 {
		threads = adoptThreadsOfRoot
	}
	d, err := s.begin(command, threads)
	if err != nil {
		return err
	}
	d.journal.clean = a.Filtered // a program that has inherited a filter gets no other
	if err := watch.Adopt(a, d.options()); err != nil {
		return err
	}
	if d.journal.wrong() != nil {
		d.tell(false) // of what outlived the program
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
	d.needs = needs(s.Root, 0, absolute(p.Path), why)
	d.journal.heardOnly = true
	status, err := watch.Listen(ctx, p, d.options())
	if err != nil {
		return Outcome{}, err
	}
	d.ended(status)
	return Outcome{d.verdict, status, true}, d.tellErr
}

// Refuse diagnoses why this process itself was refused one that watches.
func (s Session) Refuse(command []string, why *watch.NoRoomError) error {
	kernel, known := abi.Lookup(runtime.GOARCH)
	if !known {
		return why
	}
	d := &session{Session: s, command: command, unstarted: true}
	d.journal = newJournal(s.Root, kernel, func() {})
	pid := os.Getpid()
	d.journal.Started(pid)
	d.journal.Attempt(watch.Attempt{Call: "clone", PID: pid, TID: pid, Errno: int(why.Errno)}, watch.Thread{})
	for _, e := range d.journal.refusals {
		e.State.AddOwn(why.Ended)
	}
	d.tell(true)
	return errors.Join(d.tellErr, why)
}

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
	if !ended {
		d.tell(true)
	}
	return Outcome{d.verdict, status, ended}, d.tellErr
}

// ended tells the report of a program before its user learns that it has ended.
func (d *session) ended(status syscall.WaitStatus) {
	d.journal.end(status)
	d.status, d.over = status, true
	d.tell(true)
}

// storyOf returns what a report is about, nil for one without a story. Reports with equal
// ones say the same.
func storyOf(r Report) any {
	switch {
	case r.Failure != nil:
		return r.Failure
	case r.Death != nil:
		return r.Death
	case r.Said != nil:
		return r.Said
	case r.Verdict == "unknown" && len(r.Needs) == 0:
		return r.Causes[0].ID // it stands still
	}
	return nil
}

// tell makes the report and passes it to Tell. What was told before is told again only
// if it must be, and then not at length.
func (d *session) tell(must bool) {
	r := d.reportOf(d.status, d.over)
	story := storyOf(r)
	r.Again = story != nil && story == d.told
	if r.Again && !must {
		return
	}
	d.told, d.verdict = story, r.Verdict
	d.tellErr = errors.Join(d.tellErr, d.Tell(r))
}

// absolute returns the absolute path of a file, or the path as it is.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}
