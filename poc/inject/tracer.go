package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// tracer runs a program, its threads and its children, and applies a model to
// their system calls. It has no time limit of its own: whoever runs a probe has
// one, and with this process everything that it traces ends.
type tracer struct {
	kernel    *sys.Kernel
	registers abi.Registers
	model     defect.Model

	numbers map[uint64]string
	threads map[int]*thread
	probing bool // the program has become the probe
	// sites are the instructions that the Go runtime makes its own calls from,
	// by number: the first call of a program is the runtime's. The children of
	// a probe are the same program, at the same addresses.
	sites  map[uint64]uint64
	stacks []extent
	notes  map[int]map[string]uint64 // of the model, by process
}

// thread is one that is traced.
type thread struct {
	call *defect.Call // that is being made
}

// extent is memory that was mapped with MAP_STACK.
type extent struct{ start, end uint64 }

// run starts a program and returns how it ended.
func (t *tracer) run(path string, argv []string) (syscall.WaitStatus, error) {
	var err error
	if t.numbers, err = callNumbers(t.kernel.Table, t.model); err != nil {
		return 0, err
	}
	t.threads, t.sites, t.notes = map[int]*thread{}, map[uint64]uint64{}, map[int]map[string]uint64{}
	main, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", path, err)
	}
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &status, waitAll, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, fmt.Errorf("wait for the probe: %w", err)
		case status.Stopped():
			// A thread may be killed while it stands here.
			if err := t.stop(tid, tid == main, status); err != nil && !errors.Is(err, syscall.ESRCH) {
				return 0, fmt.Errorf("thread %d: %w", tid, err)
			}
		case tid == main:
			return status, nil
		default:
			delete(t.threads, tid)
			delete(t.notes, tid) // the next process of this number is another
		}
	}
}

// stop handles one stop of a thread and lets it go on.
func (t *tracer) stop(tid int, main bool, status syscall.WaitStatus) error {
	th, known := t.threads[tid]
	if !known {
		th = &thread{}
		t.threads[tid] = th
		if main {
			err := syscall.PtraceSetOptions(tid, trace.OptionGoodSyscall|trace.OptionFork|trace.OptionVfork|
				trace.OptionClone|trace.OptionExec|trace.OptionSeccomp|trace.OptionExitKill)
			if err != nil {
				return fmt.Errorf("PTRACE_SETOPTIONS: %w", err)
			}
			return syscall.PtraceCont(tid, 0)
		}
		if status.StopSignal() == syscall.SIGSTOP {
			return syscall.PtraceCont(tid, 0) // how a traced thread begins
		}
	}
	switch signal, event := status.StopSignal(), uint32(status)>>16; {
	case event == eventSeccomp:
		return t.enter(tid, th)
	case event == eventExec:
		t.probing = true
		th.call = nil // it was the old program's
		return syscall.PtraceCont(tid, 0)
	case event != 0 && th.call != nil:
		return syscall.PtraceSyscall(tid, 0) // in the middle of clone, whose end is waited for
	case event != 0:
		return syscall.PtraceCont(tid, 0)
	case signal == syscall.SIGTRAP|trace.AtSyscall:
		return t.leave(tid, th)
	default:
		// The probe's own: it relies on its faults.
		return syscall.PtraceCont(tid, int(signal))
	}
}

// enter is a call that the filter stopped: nothing of it was done yet.
func (t *tracer) enter(tid int, th *thread) error {
	if !t.probing {
		return syscall.PtraceCont(tid, 0)
	}
	info, err := stopped(tid)
	if err != nil {
		return err
	}
	if info.Operation != trace.Seccomp {
		return fmt.Errorf("a seccomp stop is told as operation %d", info.Operation)
	}
	name := t.numbers[info.Number()]
	if t.runtimes(name, info) {
		return syscall.PtraceCont(tid, 0)
	}
	args := info.Arguments()
	if name == "mmap" && t.kernel.MmapByPointer {
		if args, err = t.block(tid, args[0]); err != nil {
			return syscall.PtraceCont(tid, 0) // the kernel cannot read them either
		}
	}
	call := &defect.Call{
		Name: name, Kernel: t.kernel.Table, Page: uint64(os.Getpagesize()), Args: args,
		Program: standing{t, tid},
	}
	if t.concerns(name) {
		t.model.Act(call)
	}
	if err := t.change(tid, info, args, call); err != nil {
		return err
	}
	noted := name == parentCall || t.model.Stacks && name == "mmap"
	if !call.Answered() && !noted {
		return syscall.PtraceCont(tid, 0)
	}
	th.call = call
	return syscall.PtraceSyscall(tid, 0)
}

// runtimes reports whether the Go runtime makes a call for itself.
func (t *tracer) runtimes(name string, info *trace.Info) bool {
	switch name {
	case "mmap", "clone", "sigaltstack":
	default:
		return false
	}
	site, known := t.sites[info.Number()]
	if !known {
		site = info.Instruction
		t.sites[info.Number()] = site
	}
	return site == info.Instruction
}

func (t *tracer) concerns(name string) bool {
	for _, n := range t.model.Calls {
		if n == name {
			return true
		}
	}
	return false
}

// block reads the arguments of an mmap that takes their address.
func (t *tracer) block(tid int, at uint64) (args [6]uint64, err error) {
	for i := range args {
		if args[i], err = peek(tid, at+8*uint64(i)); err != nil {
			return args, err
		}
	}
	return args, nil
}

// change puts the arguments that a rule changed where the kernel reads them.
func (t *tracer) change(tid int, info *trace.Info, before [6]uint64, call *defect.Call) error {
	if call.Args == before {
		return nil
	}
	if call.Name == "mmap" && t.kernel.MmapByPointer {
		for i, value := range call.Args {
			if value != before[i] {
				if err := poke(tid, info.Arguments()[0]+8*uint64(i), value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	w, err := registersOf(tid)
	if err != nil {
		return err
	}
	for i, value := range call.Args {
		if value == before[i] {
			continue
		}
		place := t.registers.Args[i]
		if place == abi.Unreachable {
			return fmt.Errorf("argument %d of %s cannot be changed on %s", i, call.Name, t.kernel.GOARCH)
		}
		w.all[place] = value
	}
	return w.store(tid)
}

// leave is the end of a call that enter let through.
func (t *tracer) leave(tid int, th *thread) error {
	call := th.call
	th.call = nil
	if call == nil {
		return syscall.PtraceCont(tid, 0)
	}
	info, err := stopped(tid)
	if err != nil {
		return err
	}
	if info.Operation != trace.Exit {
		return fmt.Errorf("the end of a call is told as operation %d", info.Operation)
	}
	value, errno := info.Result()
	was := defect.Result{Value: value, Errno: errno}
	is := call.Finish(was)
	if t.model.Stacks && call.Name == "mmap" && is.Errno == 0 {
		t.mapped(is.Value, call.Args[1], call.Args[3]&t.kernel.Map.Stack != 0)
	}
	if call.Name == parentCall && is.Value == uint64(os.Getpid()) {
		is.Value = uint64(os.Getppid()) // as without an injector between
	}
	if is != was {
		if err := t.answer(tid, is); err != nil {
			return err
		}
	}
	return syscall.PtraceCont(tid, 0)
}

// answer gives a call that ended another result.
func (t *tracer) answer(tid int, r defect.Result) error {
	w, err := registersOf(tid)
	if err != nil {
		return err
	}
	failed := t.registers.Failed
	w.all[t.registers.Result] = r.Value
	w.all[failed.Word] &^= failed.Mask
	if r.Errno != 0 {
		w.all[t.registers.Result] = uint64(-int64(r.Errno))
		if failed.Mask != 0 {
			w.all[t.registers.Result] = uint64(r.Errno)
			// Of a whole word the kernel sets the lowest bit.
			w.all[failed.Word] |= failed.Mask & (failed.Mask ^ failed.Mask<<1)
		}
	}
	return w.store(tid)
}

// mapped notes what kind of memory lies at an address now.
func (t *tracer) mapped(start, length uint64, stack bool) {
	end := start + length
	var kept []extent
	for _, e := range t.stacks {
		if e.end <= start || end <= e.start {
			kept = append(kept, e)
		}
	}
	if stack {
		kept = append(kept, extent{start, end})
	}
	t.stacks = kept
}

func (t *tracer) onStack(addr uint64) bool {
	for _, e := range t.stacks {
		if e.start <= addr && addr < e.end {
			return true
		}
	}
	return false
}
