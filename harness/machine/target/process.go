package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/mapstack/conformance/harness/machine/qemu"
)

// process is a program that the host talks to over its standard input and output. It has a
// process group of its own. If mapstack dies, the program's input ends and it gets SIGTERM,
// so that it can clean up.
type process struct {
	cmd      *exec.Cmd
	timeouts qemu.Timeouts
	stdin    *os.File
	stderr   *ending
	exited   chan struct{}
	err      error // valid once exited is closed
}

// launch starts a program. What it prints goes to stdout, and its standard error to log. It
// ends with ctx.
func launch(ctx context.Context, argv []string, stdout io.Writer, log io.Writer, t qemu.Timeouts) (*process, error) {
	input, stdin, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make the input of %s: %w", argv[0], err)
	}
	defer input.Close()
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), timeouts: t, stdin: stdin, stderr: &ending{next: log}, exited: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = input, stdout, p.stderr
	p.cmd.WaitDelay = t.Quit
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go p.own(started)
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", argv[0], err), stdin.Close())
	}
	stop := context.AfterFunc(ctx, func() {
		_ = stdin.Close() // stop may have closed it
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	})
	go func() {
		<-p.exited
		stop()
	}()
	return p, nil
}

// own starts the program and waits for its end on one thread, because the kernel sends
// Pdeathsig when the thread that started the child ends.
func (p *process) own(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.exited)
}

// Send writes to the program's input.
func (p *process) Send(b []byte) error {
	if err := p.stdin.SetWriteDeadline(time.Now().Add(p.timeouts.Monitor)); err != nil {
		return fmt.Errorf("write to the agent: %w", err)
	}
	if _, err := p.stdin.Write(b); err != nil {
		if errors.Is(err, syscall.EPIPE) {
			return errDead
		}
		return fmt.Errorf("write to the agent: %w", err)
	}
	return nil
}

// Exited returns a channel that is closed when the program has ended and all its output was
// read.
func (p *process) Exited() <-chan struct{} { return p.exited }

// Await returns a channel that gets an error once the program had a time to answer.
func (p *process) Await(limit time.Duration) (late <-chan error, stop func()) {
	return qemu.Await(p.cmd.Process.Pid, limit)
}

// Paces are not known: the program only passes on what others do.
func (p *process) Paces() qemu.Paces { return nil }

func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// stop closes the program's input, which makes it end. It kills a program that does not end
// within grace.
func (p *process) stop(grace time.Duration) error {
	_ = p.stdin.Close() // an earlier stop may have closed it
	select {
	case <-p.exited:
		return nil
	case <-time.After(grace):
	}
	p.kill()
	select {
	case <-p.exited:
		return nil
	case <-time.After(p.timeouts.Monitor):
		return fmt.Errorf("%s (pid %d) did not end within %v of being killed", p.cmd.Path, p.cmd.Process.Pid, p.timeouts.Monitor)
	}
}

// ending keeps the end of what a program writes to its standard error. It must be read only
// after the program has ended.
type ending struct {
	next io.Writer
	b    []byte
}

// endingLimit bounds what is kept, in bytes.
const endingLimit = 2 << 10

func (e *ending) Write(p []byte) (int, error) {
	e.b = append(e.b, p...)
	if over := len(e.b) - endingLimit; over > 0 {
		e.b = append(e.b[:0], e.b[over:]...)
	}
	_, _ = e.next.Write(p) // a log that cannot be written must not fail the probe
	return len(p), nil
}
