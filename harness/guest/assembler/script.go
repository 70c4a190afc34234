package assembler

import (
	"fmt"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/stage0"
)

// script emits the program, with one method for each kind of step.
type script struct {
	*reporter
	t abi.Table

	result                      uint64 // of the call that is being reported
	pid, arguments, environment uint64
	child, status               uint64
	board                       uint64 // address of memory shared with children
	page                        uint64 // the page size that the kernel told
}

// size is the length of every mapping, in bytes: a multiple of every page size.
const size = 256 << 10

// nobody is an unprivileged user: RLIMIT_NPROC does not bind privileged ones.
const nobody = 65534

// untold is stored in place of a value that a child has not written yet.
const untold = 0x7e7e7e7e

// These numbers are the same on every architecture:
// include/uapi/linux/{sched,futex,auxvec,reboot}.h.
const (
	cloneThread        = 0x10000
	cloneParentSetTID  = 0x100000
	cloneChildClearTID = 0x200000
	futexWait          = 0
	atPageSize         = 6
	rebootMagic1       = 0xfee1dead
	rebootMagic2       = 672274793
	rebootRestart      = 0x01234567
)

// write emits the whole program.
func write(a *assembler, t abi.Table) {
	s := &script{reporter: newReporter(a), t: t}
	for _, v := range []*uint64{&s.result, &s.pid, &s.arguments, &s.environment, &s.child, &s.status, &s.board, &s.page} {
		*v = a.variable()
	}
	s.start()
	s.maps()
	s.refusedThread()
	s.thread()
	s.limits()
	s.calls()
	s.end()
	s.routines(t.Syscall.Write)
}

// value is shown by a step beside the result of its call.
type value struct {
	name string
	at   uint64 // a variable's address, or the text's own if text is set
	text bool
}

// observe reports a step. v0 must hold the result of its call.
func (s *script) observe(step, call string, values ...value) {
	s.put(s.result, s.r.v[0])
	s.begin()
	s.literal(fmt.Sprintf(`{"kind":"observation","observation":{"step":%q,"call":%q`, step, call))
	s.get(s.r.v[0], s.result)
	s.callTo(s.putResult)
	for i, v := range values {
		before := `","`
		if i == 0 {
			before = `,"values":{"`
		}
		s.literal(before + v.name + `":"`)
		if v.text {
			s.set(s.r.v[0], v.at)
			s.callTo(s.putText)
		} else {
			s.get(s.r.v[0], v.at)
			s.callTo(s.putHex)
		}
	}
	if len(values) > 0 {
		s.literal(`"}`)
	}
	s.literal("}}")
	s.callTo(s.say)
}

// ask makes a system call and reports it.
func (s *script) ask(step, call string, nr uint64, args ...argument) {
	s.system(s.r.v[0], nr, args...)
	s.observe(step, call)
}

// start reads the arguments, the environment and the page size from the stack. It
// then asks for the process ID and the kernel's names.
func (s *script) start() {
	v := s.r.v
	s.set(v[0], s.history)
	s.put(s.kept, v[0])
	s.emit(s.stack(v[0]))
	s.emit(s.load(8, v[1], v[0], 0)) // argc
	s.emit(s.increment(v[0], v[0], 8))
	s.put(s.arguments, v[0])
	s.emit(s.shift(true, v[1], v[1], 3))
	s.emit(s.binary(add, v[0], v[0], v[1]))
	s.emit(s.increment(v[0], v[0], 8))
	s.put(s.environment, v[0])
	variables := s.here()
	s.emit(s.load(8, v[1], v[0], 0))
	s.emit(s.increment(v[0], v[0], 8))
	s.whenIs(notEqual, v[1], 0, variables)
	done, found, vector := s.label(), s.label(), s.here()
	s.emit(s.load(8, v[1], v[0], 0))
	s.whenIs(equal, v[1], atPageSize, found)
	s.emit(s.increment(v[0], v[0], 16))
	s.whenIs(notEqual, v[1], 0, vector)
	s.goTo(done)
	s.place(found)
	s.emit(s.load(8, v[2], v[0], 8))
	s.put(s.page, v[2])
	s.place(done)

	// getpid is another call on alpha, and not every emulator of sw64 has it. For
	// the first thread gettid returns the same number.
	s.system(v[0], s.t.Syscall.Gettid)
	s.put(s.pid, v[0])
	const field = 65 // bytes of each name: struct new_utsname in include/uapi/linux/utsname.h
	names := s.space(6 * field)
	s.system(v[0], s.t.Syscall.Uname, number(names))
	s.observe(stage0.Uname, "uname()",
		value{"release", names + 2*field, true}, value{"version", names + 3*field, true}, value{"machine", names + 4*field, true})
	s.get(v[0], s.pid)
	s.observe(stage0.Auxv, "gettid()", value{"AT_PAGESZ", s.page, false})
}

// mmap maps private memory, writable or not. It returns the variable that holds the
// address.
func (s *script) mmap(step string, flags uint64, writable bool) (at uint64) {
	prot := s.t.Prot.Read
	if writable {
		prot |= s.t.Prot.Write
	}
	at = s.variable()
	s.system(s.r.v[0], s.t.Syscall.Mmap, number(0), number(size), number(prot), number(flags), number(^uint64(0)), number(0))
	s.put(at, s.r.v[0])
	s.observe(step, fmt.Sprintf("mmap(NULL, %d, %#x, %#x, -1, 0)", size, prot, flags))
	return at
}

func (s *script) maps() {
	m := s.t.Map
	own, stacks := m.Private|m.Anonymous, stage0.Stacks()
	for _, n := range stage0.Anonymous() {
		at := s.mmap(stage0.Map(n), m.Private|n, true)
		if n == m.Anonymous {
			s.use(stage0.Map(n), at)
		}
	}
	for _, n := range stacks {
		at := s.mmap(stage0.MapStack(n), own|n, true)
		if n == m.Stack {
			s.use(stage0.MapStack(n), at)
		}
	}
	s.touch(stage0.ReadOnly, s.mmap(stage0.MapReadOnly, own, false), true)
	s.onePage(s.mmap(stage0.MapPages, own, true))
}

// onePage unmaps the first page of a mapping, as long as the kernel said that a page is.
// Before that it tries from the middle of that page on.
func (s *script) onePage(at uint64) {
	v, half, next := s.r.v, s.variable(), s.variable()
	s.get(v[0], s.page)
	s.get(v[1], at)
	s.emit(s.binary(add, v[2], v[0], v[1]))
	s.put(next, v[2])
	s.emit(s.shift(false, v[0], v[0], 1))
	s.emit(s.binary(add, v[0], v[0], v[1]))
	s.put(half, v[0])
	s.ask(stage0.HalfPage, "munmap(p+page/2, page)", s.t.Syscall.Munmap, held(half), held(s.page))
	s.ask(stage0.OnePage, "munmap(p, page)", s.t.Syscall.Munmap, held(at), held(s.page))
	s.touch(stage0.FirstPage, at, false)
	s.touch(stage0.NextPage, next, false)
}

// use reads and writes a mapping, unmaps it, and reads it once more. Where mmap
// failed, every access faults.
func (s *script) use(step string, at uint64) {
	s.touch(stage0.Read(step), at, false)
	s.touch(stage0.Write(step), at, true)
	s.ask(stage0.Unmap(step), fmt.Sprintf("munmap(p, %d)", size), s.t.Syscall.Munmap, held(at), number(size))
	s.touch(stage0.After(step), at, false)
}

// fork runs body in a child that then exits, and reports the child's wait status
// with values. If no child could be made, that failure is reported.
func (s *script) fork(step, call string, values []value, body func()) {
	v := s.r.v
	parent, done := s.label(), s.label()
	s.clone(s.t.Signal.Chld, number(0), 0)
	s.whenIs(notEqual, v[0], 0, parent)
	body()
	s.system(v[0], s.t.Syscall.ExitGroup, number(0))
	s.place(parent)
	s.put(s.child, v[0])
	s.whenIs(aboveEqual, v[0], failures, done)
	s.put64(s.status, untold)
	s.system(v[0], s.t.Syscall.Wait4, held(s.child), number(s.status), number(0), number(0))
	// wait4 writes four of the eight bytes.
	s.get(v[1], s.status)
	s.emit(s.shift(true, v[1], v[1], 32))
	s.emit(s.shift(false, v[1], v[1], 32))
	s.put(s.status, v[1])
	s.place(done)
	s.observe(step, call, values...)
}

func (s *script) put64(variable, n uint64) {
	s.set(s.r.v[1], n)
	s.put(variable, s.r.v[1])
}

// clone makes the raw call with the architecture's order of arguments. tid is the
// address of a word that the kernel writes.
func (s *script) clone(flags uint64, stack argument, tid uint64) {
	var args [5]argument
	for i, which := range s.t.CloneOrder {
		args[i] = map[abi.CloneArg]argument{abi.CloneFlags: number(flags), abi.CloneStack: stack,
			abi.CloneParentTID: number(tid), abi.CloneChildTID: number(tid), abi.CloneTLS: number(0)}[which]
	}
	s.system(s.r.v[0], s.t.Syscall.Clone, args[:]...)
}

// touch reads or writes, in a child, the memory whose address the variable at
// holds. The child's status shows the outcome: a signal for a fault, 2 for a write
// that was lost.
func (s *script) touch(step string, at uint64, writes bool) {
	v := s.r.v
	what := "read"
	if writes {
		what = "write"
	}
	s.fork(step, "wait4(child) after a "+what, []value{{"status", s.status, false}}, func() {
		s.get(v[0], at)
		if !writes {
			s.emit(s.load(1, v[1], v[0], 0))
			return
		}
		kept := s.label()
		s.set(v[1], 42)
		s.emit(s.store(1, v[1], v[0], 0))
		s.emit(s.load(1, v[2], v[0], 0))
		s.when(equal, v[1], v[2], kept)
		s.system(v[0], s.t.Syscall.ExitGroup, number(2))
		s.place(kept)
	})
}

// refusedThread asks for a thread without shared signal handlers, which the kernel
// must refuse.
func (s *script) refusedThread() {
	refused := s.label()
	s.clone(cloneThread, number(0), 0)
	s.whenIs(notEqual, s.r.v[0], 0, refused)
	s.system(s.r.v[0], s.t.Syscall.Exit, number(0))
	s.place(refused)
	s.observe(stage0.NotAThread, "clone(CLONE_THREAD)")
}

// threadWaits bounds the waits for the thread's end. Each takes two seconds at
// most.
const threadWaits = 4

// thread makes a thread with the flags of the Go runtime, on a stack from mmap.
func (s *script) thread() {
	v, m := s.r.v, s.t.Map
	at, top, made := s.mmap("mmap.thread", m.Private|m.Anonymous|m.Stack, true), s.variable(), s.variable()
	shared, tid, left := s.variable(), s.variable(), s.variable()
	report, parent := s.label(), s.label()
	s.get(v[0], at)
	s.whenIs(aboveEqual, v[0], failures, report)
	s.set(v[1], size-64)
	s.emit(s.binary(add, v[0], v[0], v[1]))
	s.put(top, v[0])
	const goSetsTLS = 0x80000
	flags := s.t.GoThread&^goSetsTLS | cloneParentSetTID | cloneChildClearTID
	s.clone(flags, held(top), tid)
	s.whenIs(notEqual, v[0], 0, parent)
	s.put64(shared, 1)
	s.system(v[0], s.t.Syscall.Exit, number(0))
	s.place(parent)
	s.put(made, v[0])
	s.whenIs(aboveEqual, v[0], failures, report)
	wait := s.words(2, 0)
	s.put64(left, threadWaits)
	ended, again := s.label(), s.here()
	s.get(v[1], tid)
	s.whenIs(equal, v[1], 0, ended)
	s.system(v[0], s.t.Syscall.Futex, number(tid), number(futexWait), held(tid), number(wait), number(0), number(0))
	s.get(v[1], left)
	s.emit(s.increment(v[1], v[1], -1))
	s.put(left, v[1])
	s.whenIs(notEqual, v[1], 0, again)
	s.place(ended)
	s.get(v[0], made)
	s.place(report)
	s.observe(stage0.Thread, fmt.Sprintf("clone(%#x)", flags), value{"wrote", shared, false}, value{"tid after", tid, false})
}

// limits sets a limit to zero in an unprivileged child, which then asks for a
// process.
func (s *script) limits() {
	const sets, limits, clones = 0, 8, 16 // offsets on the board
	v, m := s.r.v, s.t.Map
	zero := s.space(16)
	s.system(v[0], s.t.Syscall.Mmap, number(0), number(size), number(s.t.Prot.Read|s.t.Prot.Write),
		number(m.Shared|m.Anonymous), number(^uint64(0)), number(0))
	s.put(s.board, v[0])
	s.observe("mmap.shared", fmt.Sprintf("mmap(NULL, %d, %#x, %#x, -1, 0)", size, s.t.Prot.Read|s.t.Prot.Write, m.Shared|m.Anonymous))
	became, limited, cloned := s.variable(), s.variable(), s.variable()
	note := func(place int) {
		s.get(v[1], s.board)
		s.emit(s.store(8, v[0], v[1], place))
	}
	none := s.label()
	s.get(v[0], s.board)
	s.whenIs(aboveEqual, v[0], failures, none)
	for _, n := range stage0.Processes() {
		s.set(v[0], untold)
		for _, place := range []int{sets, limits, clones} {
			note(place)
		}
		s.fork("child.limit-"+fmt.Sprint(n), "wait4(child) after clone", []value{{"status", s.status, false}}, func() {
			s.system(v[0], s.t.Syscall.Setresuid, number(nobody), number(nobody), number(nobody))
			note(sets)
			s.system(v[0], s.t.Syscall.Prlimit64, number(0), number(n), number(zero), number(0))
			note(limits)
			made, over := s.label(), s.label()
			s.clone(s.t.Signal.Chld, number(0), 0)
			s.whenIs(equal, v[0], 0, made)
			note(clones)
			s.whenIs(aboveEqual, v[0], failures, over)
			s.put(s.child, v[0])
			s.system(v[0], s.t.Syscall.Wait4, held(s.child), number(s.status), number(0), number(0))
			s.goTo(over)
			s.place(made)
			s.system(v[0], s.t.Syscall.ExitGroup, number(0))
			s.place(over)
		})
		s.get(v[2], s.board)
		for _, seen := range []struct {
			place    int
			variable uint64
		}{{sets, became}, {limits, limited}, {clones, cloned}} {
			s.emit(s.load(8, v[1], v[2], seen.place))
			s.put(seen.variable, v[1])
		}
		s.get(v[0], cloned)
		s.observe(stage0.Process(n), fmt.Sprintf("clone(SIGCHLD) after setresuid(%d) and prlimit64(0, %d, {0, 0})", nobody, n),
			value{"setresuid", became, false}, value{"prlimit64", limited, false})
	}
	s.pipes()
	s.place(none)
}

// pipes makes pipes with the flags of several architectures. Each is in a child, so that no
// descriptor reaches the agent, and the child writes the result to the board.
func (s *script) pipes() {
	v, ends := s.r.v, s.space(8)
	for _, flags := range stage0.PipeFlags() {
		s.get(v[1], s.board)
		s.set(v[0], untold)
		s.emit(s.store(8, v[0], v[1], 0))
		s.fork(fmt.Sprintf("child.pipe2-%#x", flags), "wait4(child) after pipe2", []value{{"status", s.status, false}}, func() {
			s.system(v[0], s.t.Syscall.Pipe2, number(ends), number(flags))
			s.get(v[1], s.board)
			s.emit(s.store(8, v[0], v[1], 0))
		})
		s.get(v[1], s.board)
		s.emit(s.load(8, v[0], v[1], 0))
		s.observe(stage0.Pipe(flags), fmt.Sprintf("pipe2(&ends, %#x)", flags))
	}
}

// calls makes single system calls whose result alone tells something.
func (s *script) calls() {
	c := s.t.Syscall
	// No system call table reaches 999, and MIPS starts its own at 5000.
	unknown := c.Mmap/1000*1000 + 999
	s.ask(stage0.Unknown, fmt.Sprintf("syscall(%d)", unknown), unknown)
	word, wait := s.words(1), s.words(2, 0)
	s.ask(stage0.WouldBlock, "futex(&1, FUTEX_WAIT, 2, {2, 0})", c.Futex, number(word), number(futexWait), number(2), number(wait), number(0), number(0))
	set := s.space(16)
	for _, bytes := range stage0.SignalSets() {
		s.ask(stage0.SignalSet(bytes), fmt.Sprintf("rt_sigprocmask(0, NULL, &set, %d)", bytes),
			c.RtSigprocmask, number(0), number(0), number(set), number(bytes))
	}
	if stage0.AsksOldLimits(s.t) {
		s.ask(stage0.OldLimits, fmt.Sprintf("syscall(%d, %d, &limit)", stage0.GenericGetrlimit, s.t.Rlimit.NProc),
			stage0.GenericGetrlimit, number(s.t.Rlimit.NProc), number(set))
	}
}

// end sends everything again, because printk may have cut into a line. It then
// becomes the agent.
func (s *script) end() {
	v, c := s.r.v, s.t.Syscall
	s.begin()
	s.literal(`{"kind":"done","exit":{"code":0}}`)
	s.callTo(s.say)
	s.repeat()
	process := s.label()
	s.get(v[0], s.pid)
	s.whenIs(notEqual, v[0], 1, process)
	s.system(v[0], c.Execve, number(s.text(stage0.Agent+"\x00")), held(s.arguments), held(s.environment))
	s.observe(stage0.ExecveAgent, "execve("+stage0.Agent+")")
	s.repeat()
	s.system(v[0], c.Reboot, number(rebootMagic1), number(rebootMagic2), number(rebootRestart), number(0))
	s.place(process)
	s.system(v[0], c.ExitGroup, number(0))
}

func (s *script) repeat() {
	v := s.r.v
	s.set(v[0], s.history)
	s.get(v[1], s.kept)
	s.emit(s.binary(sub, v[1], v[1], v[0]))
	s.callTo(s.send)
}
