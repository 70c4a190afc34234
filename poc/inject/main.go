// Package inject runs another probe as if on a defective kernel. It changes system
// calls of the probe and its children by the rule of one defect model. The probe's
// observations and exit status pass through.
//
//	inject DEFECT[,DEFECT...] PROBE [ARGS...]
//
// With several defects the probe says by Turn which of them is meant. It begins with
// the first.
//
// A seccomp filter stops the calls of the model. ptrace then changes arguments at
// that stop and results at the end of the call. The filter checks the number of a call,
// and for some models a flag; everything else is checked here.
package inject

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// filtered is the first argument of the process that becomes the probe.
const filtered = "-filtered"

// exitInjection is the exit status if the injection itself failed. Nothing was
// observed then.
const exitInjection = 70

// Main runs the injector.
func Main() {
	// ptrace and seccomp apply to one thread.
	runtime.LockOSThread()
	// A probe of limits lowers those of the whole machine. This process must outlive them.
	limit.Prewarm()
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
		return fmt.Errorf("usage: inject DEFECT[,DEFECT...] PROBE [ARGS...]")
	}
	var models []defect.Model
	for _, name := range strings.Split(args[0], ",") {
		model, ok := defect.Lookup(name)
		if !ok {
			return fmt.Errorf("unknown defect %q", name)
		}
		models = append(models, model)
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
		return become(kernel, models, filepath.Join(filepath.Dir(self), args[1]), args[1:])
	}
	t := &tracer{kernel: kernel, registers: registers, models: models, model: models[0], calls: trace.NewCalls(kernel.Table, 0)}
	status, err := t.run(self, append([]string{self, filtered}, args...))
	if err != nil {
		return err
	}
	end(status)
	return nil
}

// become installs the filters and turns this process into the probe.
func become(kernel *sys.Kernel, models []defect.Model, path string, argv []string) error {
	numbers, err := callNumbers(kernel.Table, models...)
	if err != nil {
		return err
	}
	for _, filter := range filters(kernel.Table, numbers, models...) {
		if err := install(kernel, filter); err != nil {
			return err
		}
	}
	// A call that makes a process restarts when a signal is pending. Examining a
	// call takes longer than the Go runtime waits before it preempts by a signal.
	// Without this setting a model that reads much saw the same call for ever
	// (arm64).
	env := append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	return fmt.Errorf("start %s: %w", path, syscall.Exec(path, argv, env))
}

// end ends this process in the same way as the probe ended.
func end(status syscall.WaitStatus) {
	if status.Signaled() {
		_ = syscall.Kill(os.Getpid(), status.Signal())
		os.Exit(128 + int(status.Signal())) // the Go runtime survived the signal
	}
	os.Exit(status.ExitStatus())
}
