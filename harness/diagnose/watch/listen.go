package watch

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
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
	cmd.WaitDelay = farewell // children that it leaves may hold the pipe
	cmd.Stdin, cmd.Stdout = c.Files[0], c.Files[1]
	pieces := make(pieces)
	cmd.Stderr = pieces
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", c.Path, err)
	}
	o.Observer.Started(cmd.Process.Pid)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case p := <-pieces:
			// The program is likely to be there still: it has more to write.
			o.Observer.Wrote(cmd.Process.Pid, p)
			if _, err := c.Files[2].Write(p); err != nil {
				return 0, fmt.Errorf("pass on the standard error of %s: %w", c.Path, err)
			}
			pieces <- nil
		case s := <-o.Signals:
			_ = cmd.Process.Signal(s)
		case <-o.Wake:
			o.Observer.Woke()
		case err := <-ended:
			status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			var exit *exec.ExitError
			if !ok || err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
				return 0, fmt.Errorf("wait for %s: %w", c.Path, err)
			}
			return status, nil
		}
	}
}

// pieces hands on what is written, and waits until it has been dealt with.
type pieces chan []byte

func (c pieces) Write(p []byte) (int, error) {
	c <- p
	<-c
	return len(p), nil
}
