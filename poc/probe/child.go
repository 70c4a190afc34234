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
	// childLimit is how long a child may run: starting one takes two seconds on
	// the slowest emulated machine, and some failures are hangs.
	childLimit = 60 * time.Second
	// pipeWait is how long a child's pipes may stay open after it ended. Only
	// something that left its group can hold them; a probe on a machine that is
	// busy may need seconds to come round to reading.
	pipeWait = 20 * time.Second
	// maxChildLine bounds one observation, bytes, and maxChildLines a child's
	// observations.
	maxChildLine  = 16 << 10
	maxChildLines = 4096
	// maxChildStderr is how much is kept of what a child says last: the head,
	// where the Go runtime puts its reason. A frame holds it even escaped.
	maxChildStderr = 2 << 10
)

// EmulatorVariable is the environment variable with the command that runs programs
// of this architecture, where the kernel does not: a child must be started by it
// as well.
const EmulatorVariable = "MAPSTACK_EMULATOR"

// Child is a process that does one step which may die, or which needs another
// user, other limits or a fresh address space.
type Child struct {
	Name string // of the children given to Run
	Args []string
	// Program, when not empty, is run instead of this one, by its path. Args is
	// all of its arguments then.
	Program string
	Env     []string // added to this process's
	// UID, when not 0, is the user and group it runs as, without capabilities.
	UID uint32
	// Attr, when not nil, changes how it is started: capabilities, namespaces.
	Attr func(*syscall.SysProcAttr)
	// Limit replaces the usual time limit of a minute when not 0.
	Limit time.Duration
}

// Child runs a child to its end. The child's observations are emitted, each
// step's name after this one's and a dot. Recorded here is how it ended: exit (a
// status) or, when one killed it, signal, timedout, and the head of
// stderr.
func (o *Obs) Child(c Child) *Obs {
	exit, err := c.run(func(sub wire.Observation) {
		inner := o.p.Observe(o.o.Step + "." + sub.Step)
		sub.Step = inner.o.Step
		inner.o = sub
		inner.Emit()
	})
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
		_ = cmd.Wait() // ProcessState tells more
		exit.TimedOut = !timer.Stop()
		kill() // what it left behind would hold the pipes
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
			argv[0] = os.Args[0] // /proc/self/exe would be the emulator's own
		}
		argv = append(emulator, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	// The reason of a Go program's death is wanted, not its goroutines.
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

// head returns the first limit bytes and reads the rest, so that the writer
// does not wait.
func head(r io.Reader, limit int64) string {
	kept, _ := io.ReadAll(io.LimitReader(r, limit))
	_, _ = io.Copy(io.Discard, r)
	return string(kept)
}
