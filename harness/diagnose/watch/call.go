package watch

import (
	"errors"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/trace"
)

// atCall handles a thread that stopped where a system call begins or ends.
func (t *tracer) atCall(th *thread) error {
	info, err := t.shown.At(th.tid)
	if err != nil {
		return err
	}
	switch info.Operation {
	case trace.Entry:
		t.begins(th, info)
	case trace.Exit:
		t.ends(th, info)
	}
	return nil
}

// atFilter handles a thread that our filter stopped in the middle of a call's beginning.
func (t *tracer) atFilter(th *thread) error {
	if th.every || th.entered != nil {
		return nil // the entry was seen
	}
	info, err := t.shown.As(th.tid, trace.Seccomp)
	if err != nil {
		return err
	}
	t.begins(th, info)
	if th.call == nil {
		th.entered = nil // its end does not matter
		return nil
	}
	t.shown.Within(th.tid)
	return nil
}

// begins notes the call that a thread begins, and reports what it writes.
func (t *tracer) begins(th *thread, info *trace.Info) {
	t.clock++
	th.entered, th.call, th.began = info, nil, t.clock
	t.release(th)
	abi := t.abiOf(info)
	if abi == nil {
		t.gap(th, ForeignABI, "")
		return
	}
	switch name := abi.names[info.Number()]; name {
	case "", callSigreturn, callSigreturn2:
	case callWrite, callWritev:
		t.writes(th, abi, name, info.Arguments())
	default:
		th.call = t.attempt(th, abi, name, info)
	}
}

// abiOf returns the ABI of a call, nil for an unknown one.
func (t *tracer) abiOf(info *trace.Info) *abiCalls {
	for i := range t.abis {
		abi := &t.abis[i]
		if abi.audit == info.Arch && info.Number()&x32Bit == abi.bit || abi.audit == info.Arch && abi.audit != t.abis[0].audit {
			return abi
		}
	}
	return nil
}

// attempt makes the record of a call that begins; nil for one that does not matter.
func (t *tracer) attempt(th *thread, in *abiCalls, name string, info *trace.Info) *Attempt {
	args := info.Arguments()
	a := &Attempt{Call: name, ABI: in.name, TID: th.tid, Number: info.Number(), Arch: info.Arch, Instruction: info.Instruction, Args: args}
	r := reader{t, th, in}
	switch name {
	case "clone":
		at := 0
		if in.name == "" {
			at = slices.Index(t.kernel.CloneOrder[:], abi.CloneFlags)
		}
		a.Flags = args[at]
		t.keepTraced(th, a, func() error { return t.setArgument(th.tid, in, at, a.Flags&^unix.CLONE_UNTRACED) })
	case "clone3":
		r.clone3(a)
		t.keepTraced(th, a, func() error { return trace.Poke(th.tid, a.Args[0], a.Flags&^unix.CLONE_UNTRACED) })
	case "vfork":
		a.Flags = unix.CLONE_VFORK | unix.CLONE_VM
	case "mmap":
		a.Length, a.Flags = args[1], args[3]
	case callOldMmap:
		a.Call = "mmap"
		if words, ok := r.words(args[0], 4); ok {
			a.Length, a.Flags = words[1], words[3]
		}
	case "mprotect":
		a.Length, a.Flags = args[1], args[2]
	case "mremap":
		a.Length, a.Flags = args[2]-min(args[1], args[2]), args[3]
	case "brk":
		if args[0] == 0 {
			return nil // only asks
		}
	case "unshare":
		a.Flags = args[0]
	case "setns":
		a.Flags = args[1]
	case "execve":
		a.Path = r.text(args[0])
	case "execveat":
		a.Path = r.text(args[1])
	case "setrlimit", "prlimit64":
		if !r.limit(a) {
			return nil
		}
	case "seccomp":
		if args[0] != unix.SECCOMP_SET_MODE_FILTER && args[0] != unix.SECCOMP_SET_MODE_STRICT {
			return nil
		}
		a.Flags = args[1]
	case callPrctl:
		if args[0] != unix.PR_SET_SECCOMP {
			return nil
		}
		a.Call = "seccomp"
	}
	return a
}

// keepTraced takes CLONE_UNTRACED out of the flags of a call. A process that is not traced
// cannot go on with our filter.
func (t *tracer) keepTraced(th *thread, a *Attempt, change func() error) {
	if a.Flags&unix.CLONE_UNTRACED == 0 {
		return
	}
	if !t.filtered || change() != nil {
		t.gap(th, Untraced, "")
	}
}

var errPlace = errors.New("the place of this argument is not known")

// setArgument changes an argument of the call that a thread begins.
func (t *tracer) setArgument(tid int, in *abiCalls, argument int, value uint64) error {
	registers, known := t.kernel.Registers()
	if !known || in.name != "" || registers.Args[argument] == abi.Unreachable {
		return errPlace
	}
	words, err := trace.RegistersOf(tid)
	if err != nil {
		return err
	}
	words.All[registers.Args[argument]] = value
	return words.Store(tid)
}

// clone3 reads the flags, which are the first field of struct clone_args. Of a process
// whose memory cannot be read, the flags of the latest task that the same place in the
// program made are the best that is known.
func (r reader) clone3(a *Attempt) {
	words, ok := r.words64(a.Args[0], 1)
	if ok {
		a.Flags = words[0]
		return
	}
	a.Unread = true
	if made := r.thread.made; made.instruction == a.Instruction && made.thread {
		a.Flags = cloneThread
	}
}

// limit reads the new limit of setrlimit or prlimit64. It reports false when none is set.
func (r reader) limit(a *Attempt) bool {
	a.Target = r.thread.pid
	resource, at, read := a.Args[0], a.Args[1], r.words
	if a.Call == "prlimit64" {
		resource, at, read = a.Args[1], a.Args[2], r.words64
		if pid := int(int32(a.Args[0])); pid != 0 {
			a.Target = pid
		}
	}
	if at == 0 {
		return false
	}
	a.Limit = int(uint32(resource))
	if words, ok := read(at, 2); ok {
		a.Soft, a.Hard = words[0], words[1]
	}
	return true
}

// ERESTARTSYS to ERESTART_RESTARTBLOCK (include/linux/errno.h). A tracer sees these
// numbers when the kernel is about to begin the call again.
const firstRestart, lastRestart = 512, 516

// ends handles the end of a call.
func (t *tracer) ends(th *thread, info *trace.Info) {
	entered, a := th.entered, th.call
	th.entered, th.call = nil, nil
	value, errno := info.Result()
	switch {
	case errno >= firstRestart && errno <= lastRestart:
		return
	case th.trapped != nil && entered != nil && t.returns(entered):
		// The handler of SIGSYS has returned, and put its answer into the registers.
		a, th.trapped = th.trapped, nil
		if a.Trapped, a.Errno = true, errno; a.Call != "" {
			t.report(th, a)
		}
	case th.every && errno == 0 && entered != nil && rolledBack(value, entered):
		if th.held, th.result = a, value; a == nil {
			th.held = unlisted(th, entered)
		}
	case a == nil:
	default:
		a.Errno = errno
		t.complete(th, a, value)
	}
}

// rolledBack reports whether a call may have been trapped by a filter. The kernel then shows
// what stood in the register of the result before the call (syscall_rollback): the number
// of the call on x86, the first argument elsewhere.
func rolledBack(value uint64, entered *trace.Info) bool {
	return value == entered.Number() || value == entered.Arguments()[0]
}

// returns reports whether a call returns from the handler of a signal.
func (t *tracer) returns(info *trace.Info) bool {
	abi := t.abiOf(info)
	if abi == nil {
		return false
	}
	name := abi.names[info.Number()]
	return name == callSigreturn || name == callSigreturn2
}

// unlisted makes the record of a call that is in no list.
func unlisted(th *thread, e *trace.Info) *Attempt {
	return &Attempt{TID: th.tid, Number: e.Number(), Arch: e.Arch, Instruction: e.Instruction, Args: e.Arguments()}
}

// release reports a call that was held and not trapped.
func (t *tracer) release(th *thread) {
	a := th.held
	if th.held = nil; a != nil && a.Call != "" {
		t.complete(th, a, th.result)
	}
}

// complete reports a call that the kernel ran, and notes what it changes for the watch.
func (t *tracer) complete(th *thread, a *Attempt, value uint64) {
	switch {
	case a.Call == callPtrace:
		t.traces(th, a)
		return
	case a.Call == "brk" && value < a.Args[0]:
		a.Errno, a.Length = t.kernel.Errno("ENOMEM"), a.Args[0]-value
	case a.Errno == 0 && a.Memory():
		return
	case a.Errno == 0 && a.Call == "seccomp":
		t.own(th, a)
	case a.Errno == 0 && a.Unread && th.made.thread:
		a.Flags = cloneThread
	}
	t.report(th, a)
	if a.Errno == 0 && (a.Call == "execve" || a.Call == "execveat") {
		t.executed(th, a.Path)
	}
}

func (t *tracer) report(th *thread, a *Attempt) {
	a.PID, a.TID = t.process(th), th.tid
	t.observe(func(o Observer) { o.Attempt(*a, t.standing(th)) })
}

// own makes a thread that has a filter of its own stop at every call.
func (t *tracer) own(th *thread, a *Attempt) {
	th.every = true
	if a.Flags&unix.SECCOMP_FILTER_FLAG_TSYNC == 0 {
		return
	}
	for _, other := range t.threads {
		if t.process(other) == t.process(th) && !other.every {
			other.every = true
			// It may run: only a thread that is stopped can be told to stop at calls.
			_, _ = trace.Ptrace(unix.PTRACE_INTERRUPT, uintptr(other.tid), 0, 0)
		}
	}
}

// traces reports a process that wanted to trace a thread that has a tracer.
func (t *tracer) traces(th *thread, a *Attempt) {
	switch a.Args[0] {
	case unix.PTRACE_TRACEME, unix.PTRACE_ATTACH, unix.PTRACE_SEIZE:
		if errors.Is(syscall.Errno(a.Errno), syscall.EPERM) {
			t.gap(th, Tracer, "")
		}
	}
}

// executed reports a program whose user the process would have got without a tracer.
func (t *tracer) executed(th *thread, path string) {
	if path != "" && !capable(unix.CAP_SYS_PTRACE) && setUser(inside(th.tid, path)) {
		t.gap(th, SetUser, path)
	}
}

// gap reports once for each process that something is not watched.
func (t *tracer) gap(th *thread, reason Reason, detail string) {
	g := Gap{PID: t.process(th), Reason: reason, Detail: detail}
	if !t.told[g] {
		t.told[g] = true
		t.observe(func(o Observer) { o.Unwatched(g) })
	}
}
