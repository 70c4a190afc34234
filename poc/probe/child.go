package probe

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

const (
	// childLimit bounds the run of a child. Starting one takes two seconds on the
	// slowest emulated machine, and some failures are hangs.
	childLimit = 60 * time.Second
	// pipeWait bounds how long a child's pipes stay open after it ended. Only a
	// process that left its group can hold them. On a busy machine the probe may
	// need seconds before it reads.
	pipeWait = 20 * time.Second
	// maxChildLine bounds one observation, in bytes. maxChildLines bounds the number
	// of a child's observations.
	maxChildLine  = 16 << 10
	maxChildLines = 4096
	// maxChildStderr bounds what is kept of a child's stderr, in bytes. The
	// beginning is kept, where the Go runtime gives its reason. Even escaped it fits
	// in a frame.
	maxChildStderr = 2 << 10
)

// EmulatorVariable is the environment variable with the command that runs programs
// of this architecture, if the kernel does not. Children must be started by it too.
const EmulatorVariable = "MAPSTACK_EMULATOR"

// Child is a process for a step that may die, or that needs another user, other
// limits or a new address space.
type Child struct {
	Name string // one of the children given to Run
	Args []string
	// Program, if not empty, is the path of another program to run. Args then holds
	// all of its arguments.
	Program string
	Env     []string // added to this process's environment
	// UID, if not 0, is the user and group that the child runs as, without
	// capabilities.
	UID uint32
	// Attr, if not nil, changes how the child is started: capabilities, namespaces.
	Attr func(*syscall.SysProcAttr)
	// Limit, if not 0, replaces the usual time limit of a minute.
	Limit time.Duration
}

// Child runs a child to its end and emits the child's observations. The name of
// each step gets this one's name and a dot as a prefix. This observation records
// how the child ended: exit (a status) or signal, then timedout and the head of
// stderr.
func (o *Obs) Child(c Child) *Obs {
	exit, err := c.run(func(sub wire.Observation) { o.p.Pass(o.o.Step+".", sub) })
	if err != nil {
		for _, key := range []string{"exit", "signal", "timedout", "stderr"} {
			o.Unknown(key, "the child could not be started: "+err.Error())
		}
		return o
	}
	o.Set("timedout", exit.TimedOut).Set("stderr", exit.Stderr)
	if exit.Signal != "" {
		o.Set("signal", exit.Signal)
	} else {
		o.Set("exit", exit.Code)
	}
	if exit.Dropped > 0 {
		o.Set("dropped", exit.Dropped)
	}
	return o
}

// Pass emits an observation of another process. The name of its step gets a prefix.
func (p *P) Pass(prefix string, sub wire.Observation) {
	o := p.Observe(prefix + sub.Step)
	sub.Step = o.o.Step
	o.o = sub
	o.Emit()
}

func (c Child) run(observe func(wire.Observation)) (wire.Exit, error) {
	var exit wire.Exit
	stdout, stdoutW, err := os.Pipe()
	if err != nil {
		return exit, err
	}
	defer stdout.Close()
	stderr, stderrW, err := os.Pipe()
	if err != nil {
		stdoutW.Close()
		return exit, err
	}
	defer stderr.Close()
	cmd := c.command()
	cmd.Stdout, cmd.Stderr = stdoutW, stderrW
	err = cmd.Start()
	stdoutW.Close()
	stderrW.Close()
	if err != nil {
		return exit, err
	}

	said := make(chan string, 1)
	go func() { said <- head(stderr, maxChildStderr) }()
	limit := c.Limit
	if limit == 0 {
		limit = childLimit
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		timer := time.AfterFunc(limit, kill)
		_ = cmd.Wait() // ProcessState has the result
		exit.TimedOut = !timer.Stop()
		kill() // a process left behind would hold the pipes
		_ = stdout.SetReadDeadline(time.Now().Add(pipeWait))
		_ = stderr.SetReadDeadline(time.Now().Add(pipeWait))
	}()
	exit.Dropped = wire.ReadObservations(stdout, maxChildLine, maxChildLines, observe)
	exit.Stderr = <-said
	<-ended
	exit.Code = cmd.ProcessState.ExitCode()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = status.Signal().String()
	}
	return exit, nil
}

func (c Child) command() *exec.Cmd {
	argv := append([]string{"/proc/self/exe", childFlag, c.Name}, c.Args...)
	if c.Program != "" {
		argv = append([]string{c.Program}, c.Args...)
	}
	if emulator := strings.Fields(os.Getenv(EmulatorVariable)); len(emulator) > 0 {
		if c.Program == "" {
			argv[0] = os.Args[0] // /proc/self/exe would be the emulator itself
		}
		argv = append(emulator, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	// The reason of a Go program's death is needed, not its goroutines.
	cmd.Env = append(append(os.Environ(), "GOTRACEBACK=none"), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.UID, Gid: c.UID}
	}
	if c.Attr != nil {
		c.Attr(cmd.SysProcAttr)
	}
	return cmd
}

// head returns the first limit bytes and discards the rest, so that the writer does
// not block.
func head(r io.Reader, limit int64) string {
	kept, _ := io.ReadAll(io.LimitReader(r, limit))
	_, _ = io.Copy(io.Discard, r)
	return string(kept)
}
