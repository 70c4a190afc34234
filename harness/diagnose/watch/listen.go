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

// Listen starts a program that may not be traced. Of what happens it tells only
// what the program writes to its standard error, which is a pipe then. The
// program dies with this process and with the context.
func Listen(ctx context.Context, c Command, o Options) (syscall.WaitStatus, error) {
	// A program dies with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, c.Path)
	cmd.Args, cmd.Env = c.Args, c.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdin, cmd.Stdout = c.Files[0], c.Files[1]
	r, w, err := narrowPipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	cmd.Stderr = w
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", c.Path, err)
	}
	o.Observer.Started(cmd.Process.Pid)
	pieces, ended := make(pieces), make(chan error, 1)
	go func() {
		_, _ = io.Copy(pieces, r) // to its end, or until r is closed
		close(pieces)
	}()
	go func() {
		err := cmd.Wait()
		// Children that it leaves may hold the pipe.
		_ = r.SetReadDeadline(time.Now().Add(farewell))
		ended <- err
	}()
	left, done := (<-chan []byte)(pieces), (<-chan error)(ended)
	for {
		select {
		case p, more := <-left:
			if !more {
				left, done = nil, ended
				continue
			}
			o.Observer.Wrote(cmd.Process.Pid, p)
			if _, err := c.Files[2].Write(p); err != nil {
				return 0, fmt.Errorf("pass on the standard error of %s: %w", c.Path, err)
			}
			pieces <- nil
		case s := <-o.Signals:
			_ = cmd.Process.Signal(s)
		case <-o.Wake:
			o.Observer.Woke()
		case err := <-done:
			if left != nil {
				// What it wrote last is still to be read.
				ended <- err
				done = nil
				continue
			}
			status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			var exit *exec.ExitError
			if !ok || err != nil && !errors.As(err, &exit) && ctx.Err() == nil {
				return 0, fmt.Errorf("wait for %s: %w", c.Path, err)
			}
			return status, nil
		}
	}
}

// narrowPipe is a pipe that holds one page. A program that has more to write, as
// the Go runtime has after its first words, waits until those have been dealt
// with, and is still there to be looked at.
func narrowPipe() (r, w *os.File, err error) {
	r, w, err = os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe for standard error: %w", err)
	}
	// One that stays as wide as it is serves too, less well.
	_, _ = unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
	return r, w, nil
}

// pieces hands on what is written, and waits until it has been dealt with.
type pieces chan []byte

func (c pieces) Write(p []byte) (int, error) {
	c <- p
	<-c // with the buffer, which is used again
	return len(p), nil
}
