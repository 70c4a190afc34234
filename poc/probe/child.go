package probe

import (
	"fmt"
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
	// Limit, if not 0, replaces the usual time limit of a minute. Both are stretched as
	// Patience does.
	Limit time.Duration
}

// Child runs a child to its end and emits the child's observations. The name of
// each step gets this one's name and a dot as a prefix. This observation records
// how the child ended: exit (a status) or signal, then timedout and the head of
// stderr. Of a child that took too long it records where it was stuck.
func (o *Obs) Child(c Child) *Obs {
	return o.Ended(c.Run(o.Pass))
}

// Pass emits an observation of a child, with this step's name and a dot as a prefix.
func (o *Obs) Pass(sub wire.Observation) {
	o.p.Pass(o.o.Step+".", sub)
}

// Ended records how a child ended, or why it could not be started.
func (o *Obs) Ended(exit wire.Exit, err error) *Obs {
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
	if exit.Stuck != "" {
		o.Set("stuck", exit.Stuck)
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

// Run runs a child to its end and passes on what it observes.
func (c Child) Run(observe func(wire.Observation)) (wire.Exit, error) {
	limit := c.Limit
	if limit == 0 {
		limit = childLimit
	}
	f, err := follow(Patience(limit), func(stdout, stderr int) (int, error) { return c.start(stdout, stderr) })
	if err != nil {
		return wire.Exit{}, err
	}
	return f.end(observe), nil
}

// start executes the program of a child.
func (c Child) start(stdout, stderr int) (int, error) {
	// One file is every probe: the name in argv[0] makes it this one.
	path, argv := "/proc/self/exe", append([]string{os.Args[0], childFlag, c.Name}, c.Args...)
	if c.Program != "" {
		path, argv = c.Program, append([]string{c.Program}, c.Args...)
	}
	if emulator := strings.Fields(os.Getenv(EmulatorVariable)); len(emulator) > 0 {
		path, argv = emulator[0], append(emulator, argv...) // /proc/self/exe would be the emulator itself
	}
	path, err := exec.LookPath(path)
	if err != nil {
		return 0, err
	}
	stdin, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer syscall.Close(stdin)
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.UID != 0 {
		attr.Credential = &syscall.Credential{Uid: c.UID, Gid: c.UID}
	}
	if c.Attr != nil {
		c.Attr(attr)
	}
	return syscall.ForkExec(path, argv, &syscall.ProcAttr{
		// The reason of a Go program's death is needed, not its goroutines.
		Env:   environment(append([]string{"GOTRACEBACK=none"}, c.Env...)),
		Files: []uintptr{uintptr(stdin), uintptr(stdout), uintptr(stderr)},
		Sys:   attr,
	})
}

// environment returns this process's environment with variables added. The last of
// those with the same name counts.
func environment(added []string) []string {
	var all []string
	for _, v := range append(os.Environ(), added...) {
		name := v[:strings.IndexByte(v, '=')+1]
		kept := all[:0]
		for _, other := range all {
			if name == "" || !strings.HasPrefix(other, name) {
				kept = append(kept, other)
			}
		}
		all = append(kept, v)
	}
	return all
}
