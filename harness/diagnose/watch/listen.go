package watch

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

	"golang.org/x/sys/unix"
)

// Listen starts a program that may not be traced. It tells the observer only what
// the program writes to its standard error, which is a pipe then. The program
// dies with this process and with the context.
func Listen(ctx context.Context, p Program, o Options) (syscall.WaitStatus, error) {
	// A program dies with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := listener{Options: o, program: p}
	r, err := l.start(ctx)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	written, ended := make(pieces), make(chan error, 1)
	go func() {
		_, _ = io.Copy(written, r) // to its end, or until r is closed
		close(written)
	}()
	go func() {
		err := l.process.Wait()
		// Children that the program leaves behind may hold the pipe open.
		_ = r.SetReadDeadline(time.Now().Add(farewell))
		ended <- err
	}()
	err, failed := l.listen(written, ended)
	if failed != nil {
		return 0, failed
	}
	return l.status(ctx, err)
}

// listener is a program that is not traced, and what it writes.
type listener struct {
	Options
	program Program
	process *exec.Cmd
}

// start starts the program and returns the end of the pipe to read from.
func (l *listener) start(ctx context.Context) (*os.File, error) {
	cmd := exec.CommandContext(ctx, l.program.Path)
	cmd.Args, cmd.Env = l.program.Args, l.program.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	r, w, err := narrowPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = w
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("start %s: %w", l.program.Path, err)
	}
	l.process = cmd
	l.Observer.Started(cmd.Process.Pid)
	return r, nil
}

// farewell is how long the standard error of a program is read after its end.
const farewell = 5 * time.Second

// listen passes on what is written until the program has ended and everything it
// wrote has been read. It returns what Wait returned, or why passing on failed.
func (l *listener) listen(written pieces, ended <-chan error) (exit, failed error) {
	pid := l.process.Process.Pid
	exited := false
	for written != nil || !exited {
		select {
		case p, more := <-written:
			if !more {
				written = nil
				continue
			}
			l.Observer.Wrote(pid, p)
			if _, err := os.Stderr.Write(p); err != nil {
				return nil, fmt.Errorf("pass on the standard error of %s: %w", l.program.Path, err)
			}
			written <- nil
		case s := <-l.Signals:
			_ = l.process.Process.Signal(s)
		case <-l.Wake:
			l.Observer.Woke()
		case exit = <-ended:
			exited = true
		}
	}
	return exit, nil
}

// status returns how the program ended.
func (l *listener) status(ctx context.Context, err error) (syscall.WaitStatus, error) {
	status, ok := l.process.ProcessState.Sys().(syscall.WaitStatus)
	var exit *exec.ExitError
	if !ok || err != nil && !errors.As(err, &exit) && ctx.Err() == nil {
		return 0, fmt.Errorf("wait for %s: %w", l.program.Path, err)
	}
	return status, nil
}

// narrowPipe makes a pipe that holds one page. A program that writes more, as the Go
// runtime does after its first words, waits until those were read. So it is still
// there when the census is taken.
func narrowPipe() (r, w *os.File, err error) {
	r, w, err = os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe for standard error: %w", err)
	}
	// If this fails the pipe works too, but the program may end sooner.
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
	return r, w, nil
}

// pieces passes on what is written, and waits until the receiver is done with it.
type pieces chan []byte

func (c pieces) Write(p []byte) (int, error) {
	c <- p
	<-c // the caller uses the buffer again
	return len(p), nil
}
