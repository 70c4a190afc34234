package diagnose

import (
	"encoding/binary"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/filter"
	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// evidence takes the census for a call that failed.
func (j *journal) evidence(a watch.Attempt, want Want) *Evidence {
	e := j.blank(Failure{
		Call: a.Call, ABI: a.ABI, Want: want, Flags: a.Flags, Length: a.Length, Path: a.Path, Trapped: a.Trapped,
		Reserve: j.reserves(a),
		Errno:   a.Errno, Name: j.kernel.ErrnoName(a.Errno), PID: a.PID, TID: a.TID,
	})
	e.State, e.Problem = j.state(a)
	j.complete(e)
	for _, pid := range []int{a.PID, j.pid} {
		if kept, seen := j.kept[pid]; seen {
			e.Kept = kept
			break
		}
	}
	return e
}

// reserves reports whether a call asks for memory that cannot be written to, and so counts
// as address space alone.
func (j *journal) reserves(a watch.Attempt) bool {
	const write = 0x2     // PROT_WRITE of every architecture
	const oldMmap386 = 90 // takes the address of its arguments, as mmap does on some machines
	switch {
	case a.Call == "mprotect":
		return a.Flags&write == 0
	case a.Call != "mmap", a.ABI == "" && j.kernel.MmapByPointer, a.ABI == "386" && a.Number == oldMmap386:
		return false
	}
	return a.Args[2]&write == 0
}

// blank makes evidence that knows its failure alone.
func (j *journal) blank(f Failure) *Evidence {
	m := j.kernel.Map
	e := &Evidence{Failure: f, Before: j.before, Map: Flags{m.Stack, m.Locked, m.Fixed, m.NoReserve}, Rlimit: j.kernel.Rlimit, Setters: j.setters}
	e.Before.Groups.Pids, e.Before.Groups.Memory = j.baseline.pids, j.baseline.memory
	return e
}

// complete uses the first census where the thread was killed since: the limits of the
// machine are the same. It takes away the filter that the watch gave to the program.
func (j *journal) complete(e *Evidence) {
	if e.Problem != nil {
		e.State = e.Before
	}
	e.Failure.Program = e.State.Name
	switch filters := &e.State.Seccomp; {
	case !j.clean:
	case len(j.installer) == 0:
		*filters = census.Seccomp{Mode: census.Known(0), Filters: census.Known(0)}
	case filters.Filters.AtLeast(census.Known(1)):
		filters.Filters.N--
	}
}

// installers says who installed the filters of the program, if one process alone did.
func (j *journal) installers() Filters {
	f := Filters{Inherited: j.launched && len(j.installer) == 0}
	if len(j.installer) == 1 && j.launched && (j.clean || j.before.Seccomp.Mode == census.Known(0)) {
		f.Installer = j.installer[0]
	}
	return f
}

// ask runs the seccomp filters of the thread on the call.
func (j *journal) ask(a watch.Attempt, t watch.Thread) Filters {
	f := j.installers()
	filters, err := t.Filters()
	if err == nil {
		f.Answer, err = filter.Decide(filters, filter.Call{
			Number: uint32(a.Number), Arch: a.Arch, Instruction: a.Instruction, Args: a.Args,
		}, binary.NativeEndian)
	}
	if err != nil {
		f.Problem = err.Error()
		return f
	}
	f.Read = true
	return f
}
