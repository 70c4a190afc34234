// Package quarantine reads bytes that may be hostile in a process of its own: this program,
// started again, with bounds of memory, CPU, file size and time, without root's rights
// and without a way to new ones. Whatever a parser does there ends there. The process is
// given open files, and answers by a pipe.
package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is the argument that makes a program call Serve. The name of a job follows.
const Command = "read-in-quarantine"

// Bounds of one job. A kernel and what it unpacks to take most of the memory, and unpacking
// a large disk most of the time.
const (
	maxMemory  = 2 << 30 // bytes that the process can write to
	maxAddress = 8 << 30 // bytes of its address space, of which Go reserves more than a gigabyte
	maxCPU     = 600     // seconds
	maxFile    = 128<<30 + 1
	maxTime    = 30 * time.Minute
	maxMeta    = 64 << 20 // bytes of an answer, without its blobs
)

// Job is work on files that may be hostile. Run may be called in this process or in another
// one, so that arguments and answers are what JSON can hold.
type Job struct {
	Name string
	Run  func(ctx context.Context, arguments []byte, files []*os.File) (Answer, error)
}

// Answer is what a job found.
type Answer struct {
	Meta  any // becomes JSON
	Blobs [][]byte
}

// Program is how to start a program that calls Serve. The zero Program runs jobs in this
// process, without bounds; it is for tests.
type Program struct {
	Argv []string
	// Warn is told what the host lacks of the bounds. It may be nil.
	Warn func(string)
}

// Self is this program, whose main must call Serve.
func Self(warn func(string)) Program {
	// The path of the program may lead through folders that are root's alone.
	return Program{Argv: []string{"/proc/self/exe", Command}, Warn: warn}
}

// EndedError means that the job's process ended without an answer.
type EndedError struct{ why string }

func (e *EndedError) Error() string {
	return "it is damaged or hostile: the process that read it, which has its own bounds of memory and time, ended: " + e.why
}

// jobError is the error of a job, which the process reported.
type jobError struct{ text string }

func (e *jobError) Error() string { return e.text }

// Do runs a job. The blobs of its answer may have limit bytes in all. meta must be a pointer.
func (p Program) Do(ctx context.Context, j Job, arguments any, limit int64, meta any, files ...*os.File) ([][]byte, error) {
	text, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	if len(p.Argv) == 0 {
		return here(ctx, j, text, meta, files)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxTime, &EndedError{fmt.Sprintf("it was not done within %v", maxTime)})
	defer cancel()
	user := 0
	if os.Geteuid() == 0 {
		user = nobody
	}
	c, err := p.start(ctx, j.Name, text, files, user)
	if user != 0 && (errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EINVAL)) {
		// Not every container has this user, and not every user may run the program.
		if p.Warn != nil {
			p.Warn(fmt.Sprintf("hostile bytes are read as root, and not as user %d: %v", user, err))
		}
		c, err = p.start(ctx, j.Name, text, files, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("start a process that reads hostile bytes: %w", err)
	}
	blobs, err := receive(c.answer, limit, meta)
	if err != nil {
		c.kill()
	}
	ended := c.wait()
	var failed *jobError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &failed):
		return nil, failed
	case ended != nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return nil, &EndedError{ended.Error()} // it ended before it was killed
	case err != nil:
		return nil, &EndedError{err.Error()}
	}
	return blobs, nil
}

// here runs a job in this process.
func here(ctx context.Context, j Job, arguments []byte, meta any, files []*os.File) ([][]byte, error) {
	answer, err := run(ctx, j, arguments, files)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(answer.Meta)
	if err != nil {
		return nil, err
	}
	return answer.Blobs, json.Unmarshal(text, meta)
}

// nobody is the user of last resort of most systems. It owns no file.
const nobody = 65534

// child is a started process.
type child struct {
	cmd    *exec.Cmd
	answer io.ReadCloser
	stderr headText
	ended  chan error
}

// start starts the program as a user; 0 keeps this process's.
func (p Program) start(ctx context.Context, job string, arguments []byte, files []*os.File, user int) (*child, error) {
	c := &child{ended: make(chan error, 1)}
	c.cmd = exec.CommandContext(ctx, p.Argv[0], append(p.Argv[1:len(p.Argv):len(p.Argv)], job)...)
	c.cmd.Stdin, c.cmd.Stderr, c.cmd.ExtraFiles = strings.NewReader(string(arguments)), &c.stderr, files
	c.cmd.Env = []string{"GOTRACEBACK=none"}
	c.cmd.Dir = "/"
	c.cmd.WaitDelay = time.Second
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != 0 {
		c.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}
	}
	var answer *os.File
	var err error
	if c.answer, answer, err = os.Pipe(); err != nil {
		return nil, err
	}
	c.cmd.Stdout = answer
	err = c.begin()
	_ = answer.Close() // so that reading ends with the child
	if err != nil {
		_ = c.answer.Close()
		return nil, err
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c, nil
}

// begin starts the process.
func (c *child) begin() error {
	calls, err := unprivileged()
	if err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	started := make(chan error)
	calls <- func() { started <- c.cmd.Start() }
	return <-started
}

// unprivileged returns a channel of functions that are called on one thread. The thread can
// gain no privilege any more, and its children inherit that. It never ends: the kernel would
// send Pdeathsig to all children that were ever started on it, also to those of others.
var unprivileged = sync.OnceValues(func() (chan<- func(), error) {
	calls, ready := make(chan func()), make(chan error)
	go func() {
		runtime.LockOSThread()
		ready <- unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		for call := range calls {
			call()
		}
	}()
	return calls, <-ready
})

func (c *child) kill() { _ = c.cmd.Process.Kill() }

// wait returns why the process failed, in its own words if it has some.
func (c *child) wait() error {
	defer c.answer.Close()
	err := <-c.ended
	if err == nil {
		return nil
	}
	for line := range strings.Lines(c.stderr.String()) {
		if strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "runtime: ") {
			return fmt.Errorf("%w (%.200s)", err, strings.TrimSpace(line))
		}
	}
	return err
}

// headText keeps the beginning of what a program prints.
type headText struct{ strings.Builder }

func (h *headText) Write(p []byte) (int, error) {
	const most = 16 << 10
	h.Builder.Write(p[:min(len(p), max(0, most-h.Len()))])
	return len(p), nil
}
