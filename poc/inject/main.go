// Command inject runs another probe on a kernel that it makes look defective:
// it changes what becomes of the probe's system calls, and its children's, by
// the rule of one defect model. What the probe observes and how it ends passes
// through.
//
//	inject DEFECT PROBE [ARGS...]
//
// The probe runs below a seccomp filter that stops the calls of the model, and
// below ptrace, which changes arguments at that stop and results at the end of
// the call. The filter looks at the number of a call and at nothing else, so it
// is the same on every architecture: arguments are looked at here.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/sys"
)

// filtered is the first argument of the process that becomes the probe.
const filtered = "-filtered"

// exitInjection is the exit status when the injection itself failed, so that
// nothing was observed.
const exitInjection = 70

func main() {
	// ptrace and seccomp concern one thread.
	runtime.LockOSThread()
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "inject:", err)
		os.Exit(exitInjection)
	}
}

func run(args []string) error {
	first := len(args) > 0 && args[0] == filtered
	if first {
		args = args[1:]
	}
	if len(args) < 2 {
		return fmt.Errorf("usage: inject DEFECT PROBE [ARGS...]")
	}
	model, ok := defect.Lookup(args[0])
	if !ok {
		return fmt.Errorf("unknown defect %q", args[0])
	}
	kernel, err := sys.Running()
	if err != nil {
		return err
	}
	registers, ok := kernel.Registers()
	if !ok {
		return fmt.Errorf("poc/abi does not know the registers of %s", kernel.GOARCH)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if first {
		return become(kernel, model, filepath.Join(filepath.Dir(self), args[1]), args[1:])
	}
	t := &tracer{kernel: kernel, registers: registers, model: model}
	status, err := t.run(self, append([]string{self, filtered}, args...))
	if err != nil {
		return err
	}
	end(status)
	return nil
}

// become installs the filter and turns this process into the probe.
func become(kernel *sys.Kernel, model defect.Model, path string, argv []string) error {
	numbers, err := callNumbers(kernel.Table, model)
	if err != nil {
		return err
	}
	if err := install(kernel, numbers); err != nil {
		return err
	}
	// A call that makes a process starts again when a signal is due. To look at
	// one takes longer here than the Go runtime waits before it interrupts who
	// runs: without this, a model that reads much was asked for ever (arm64).
	env := append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	return fmt.Errorf("start %s: %w", path, syscall.Exec(path, argv, env))
}

// end ends this process as the probe ended.
func end(status syscall.WaitStatus) {
	if status.Signaled() {
		_ = syscall.Kill(os.Getpid(), status.Signal())
		os.Exit(128 + int(status.Signal())) // a signal that the Go runtime survives
	}
	os.Exit(status.ExitStatus())
}
