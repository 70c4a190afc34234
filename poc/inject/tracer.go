package inject

import (
	"fmt"
	"os"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// tracer runs a program with its threads and children, and applies one model to their
// system calls. It has no time limit of its own: whoever runs a probe has one.
// Everything that it traces ends with this process.
type tracer struct {
	kernel    *sys.Kernel
	registers abi.Registers
	models    []defect.Model
	model     defect.Model // the one that is meant now
	marks     bool         // a model asks which memory comes from MAP_STACK

	calls   *trace.Calls
	numbers map[uint64]string
	threads map[int]*thread
	probing bool // the program has become the probe
	// sites holds, by call number, the instruction from which the Go runtime makes
	// its own calls. A program's first call is the runtime's. The children of a
	// probe run the same program at the same addresses.
	sites  map[uint64]uint64
	stacks []extent
	notes  map[int]map[string]uint64 // the model's notes by process
}

// thread is the state of a traced thread.
type thread struct {
	call *defect.Call // the call in progress, if its end is awaited
}

// mmapFlags is the index of the flags among mmap's arguments.
const mmapFlags = 3

// extent is a range of memory from MAP_STACK.
type extent struct{ start, end uint64 }

// run starts a program and returns its wait status.
func (t *tracer) run(path string, argv []string) (syscall.WaitStatus, error) {
	var err error
	if t.numbers, err = callNumbers(t.kernel.Table, t.models...); err != nil {
		return 0, err
	}
	for _, m := range t.models {
		t.marks = t.marks || m.Stacks
	}
	t.threads, t.sites, t.notes = map[int]*thread{}, map[uint64]uint64{}, map[int]map[string]uint64{}
	main, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", path, err)
	}
	return trace.Follow(main, trace.OptionGoodSyscall|trace.OptionFork|trace.OptionVfork|
		trace.OptionClone|trace.OptionExec|trace.OptionSeccomp|trace.OptionExitKill, t.stop)
}

// stop handles one stop of a thread.
func (t *tracer) stop(s trace.Halt) (trace.Way, error) {
	switch s.Kind {
	case trace.Began:
		t.threads[s.Thread] = &thread{}
	case trace.Ended:
		delete(t.threads, s.Thread)
		delete(t.notes, s.Thread) // the next process with this number is another one
	case trace.Filtered:
		return t.enter(s.Thread, t.known(s.Thread))
	case trace.Executed:
		t.probing = true
		t.known(s.Thread).call = nil // it belonged to the old program
	case trace.Cloned:
		if t.known(s.Thread).call != nil {
			return trace.RunToCall, nil // the end of that call is awaited
		}
	case trace.Called:
		return trace.Run, t.leave(s.Thread, t.known(s.Thread))
	}
	// A signal goes to the probe, which relies on its own faults.
	return trace.Run, nil
}

// known returns the state of a thread, which is new if the thread is.
func (t *tracer) known(tid int) *thread {
	if t.threads[tid] == nil {
		t.threads[tid] = &thread{}
	}
	return t.threads[tid]
}

// enter handles a call that the filter stopped before the kernel did any of it.
func (t *tracer) enter(tid int, th *thread) (trace.Way, error) {
	if !t.probing {
		return trace.Run, nil
	}
	info, err := t.calls.As(tid, trace.Seccomp)
	if err != nil {
		return trace.Run, err
	}
	if info.Operation != trace.Seccomp {
		return trace.Run, fmt.Errorf("a seccomp stop is told as operation %d", info.Operation)
	}
	name := t.numbers[info.Number()]
	args := info.Arguments()
	if name == "mmap" {
		if args, err = trace.MmapArguments(t.kernel.Table, tid, args); err != nil {
			return trace.Run, nil // the kernel cannot read them either
		}
	}
	// A stack that the runtime maps with MAP_STACK is under test. The stock runtime
	// never does that.
	stack := name == "mmap" && args[mmapFlags]&t.kernel.Map.Stack != 0
	if t.runtimes(name, info) && !stack {
		return trace.Run, nil
	}
	call := &defect.Call{
		Name: name, Kernel: t.kernel.Table, Page: uint64(os.Getpagesize()), Args: args,
		Program: standing{t, tid},
	}
	if t.concerns(name) {
		t.model.Act(call)
	}
	if err := t.change(tid, info, args, call); err != nil {
		return trace.Run, err
	}
	if name == parentCall && args[0] == turning {
		if err := t.turn(args[1]); err != nil {
			return trace.Run, err
		}
	}
	noted := name == parentCall || t.marks && name == "mmap"
	if !call.Answered() && !noted {
		return trace.Run, nil
	}
	th.call = call
	return trace.RunToCall, nil
}

// runtimes reports whether the Go runtime makes the call for itself.
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

// change writes the arguments that a rule changed to where the kernel reads them.
func (t *tracer) change(tid int, info *trace.Info, before [6]uint64, call *defect.Call) error {
	if call.Args == before {
		return nil
	}
	if call.Name == "mmap" && t.kernel.MmapByPointer {
		for i, value := range call.Args {
			if value != before[i] {
				if err := trace.Poke(tid, info.Arguments()[0]+8*uint64(i), value); err != nil {
					return err
				}
			}
		}
		return nil
	}
	w, err := trace.RegistersOf(tid)
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
		if w.All[place] != before[i] {
			return fmt.Errorf("argument %d of %s is %#x, and %#x in the registers: the kernel lays them out differently from poc/abi of %s",
				i, call.Name, before[i], w.All[place], t.kernel.GOARCH)
		}
		w.All[place] = value
	}
	return w.Store(tid)
}

// leave handles the end of a call that enter let through.
func (t *tracer) leave(tid int, th *thread) error {
	call := th.call
	th.call = nil
	if call == nil {
		return nil
	}
	info, err := t.calls.As(tid, trace.Exit)
	if err != nil {
		return err
	}
	if info.Operation != trace.Exit {
		return fmt.Errorf("the end of a call is told as operation %d", info.Operation)
	}
	value, errno := info.Result()
	was := defect.Result{Value: value, Errno: errno}
	is := call.Finish(was)
	if t.marks && call.Name == "mmap" && is.Errno == 0 {
		t.mapped(is.Value, call.Args[1], call.Args[mmapFlags]&t.kernel.Map.Stack != 0)
	}
	switch {
	case call.Name != parentCall:
	case call.Args[0] == turning:
		is.Value = turning
	case is.Value == uint64(os.Getpid()):
		is.Value = uint64(os.Getppid()) // the same as without an injector
	}
	if is != was {
		return t.answer(tid, is)
	}
	return nil
}

// answer replaces the result of a call that ended.
func (t *tracer) answer(tid int, r defect.Result) error {
	w, err := trace.RegistersOf(tid)
	if err != nil {
		return err
	}
	failed := t.registers.Failed
	w.All[t.registers.Result] = r.Value
	w.All[failed.Word] &^= failed.Mask
	if r.Errno != 0 {
		w.All[t.registers.Result] = uint64(-int64(r.Errno))
		if failed.Mask != 0 {
			w.All[t.registers.Result] = uint64(r.Errno)
			// If the mask is a whole word the kernel sets its lowest bit.
			w.All[failed.Word] |= failed.Mask & (failed.Mask ^ failed.Mask<<1)
		}
	}
	return w.Store(tid)
}

// mapped records whether a range of memory now comes from MAP_STACK.
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
