package newosproc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/trace"
)

// few is the number of threads that the traced program starts.
const few = 10

// traced is a Go program that starts some threads.
func traced(p *probe.P) {
	start(few)
	p.Observe("up").Set("started", few).Set("threads", limit.MustNumber(limit.Self, "Threads")).Emit()
}

// recorder records the calls by which a program maps memory and makes threads.
type recorder struct {
	p       *probe.P
	names   map[uint64]string
	running *running
	calls   map[int]*trace.Info // calls in progress, by thread
	count   map[string]int      // number of calls, by name
	words   map[string]map[uint64]int
	marked  int    // number of mmap calls with MAP_STACK
	areas   []area // mapped areas, the latest last
	stacks  []uint64
	cloning []string // call chain of the first clone of a thread
	started []string // call chain of the first sigaltstack in a new thread
	open    string   // signals that were not blocked at the first clone of a thread
	walk    string   // why a call chain is missing or incomplete
	stack   *walker
	unknown string // why nothing was recorded
	other   bool   // the program is not this one, so its functions are not known
	main    int
}

// area is memory that one call mapped.
type area struct{ start, end, prot uint64 }

// chain records the calls of a Go program from outside. The program is this one, or
// another one at a path.
func chain(p *probe.P, name, path string) {
	o := p.Observe(name)
	defer o.Emit()
	told(o, func() {
		r := newRecorder(p, path)
		said := r.running.followed(r.stop)
		r.emit(name+".", said)
	})
}

func newRecorder(p *probe.P, path string) *recorder {
	k := p.Kernel
	r := &recorder{p: p, calls: map[int]*trace.Info{}, count: map[string]int{}, words: map[string]map[uint64]int{}}
	r.names = map[uint64]string{
		k.Syscall.Clone: "clone", k.Syscall.Clone3: "clone3", k.Syscall.Mmap: "mmap", k.Syscall.Munmap: "munmap",
		k.Syscall.Mprotect: "mprotect", k.Syscall.Sigaltstack: "sigaltstack",
	}
	delete(r.names, 0) // calls that the architecture does not have
	var numbers []uint64
	for number, name := range r.names {
		r.words[name] = map[uint64]int{}
		numbers = append(numbers, number)
	}
	program := trace.Program{Path: path, Args: []string{path, "threads"}, Env: environment(cause{}), Filter: trace.Filter(trace.Stop, numbers...)}
	if path == "" {
		program.Path, program.Args = "/proc/self/exe", []string{"newosproc", "-child", "traced"}
		var err error
		if r.stack, err = newWalker(k.Table); err != nil {
			r.walk = err.Error()
		}
	} else {
		r.other = true
	}
	r.running = &running{p: p, program: program, limit: probe.Patience(victimLimit)}
	return r
}

// stop handles one stop of a thread. Of the calls that a filter stops only mmap is
// followed to its end, for the address that it gives.
func (r *recorder) stop(h trace.Halt) (trace.Way, error) {
	on := r.running.way()
	if r.main == 0 {
		r.main = h.Thread
	}
	if h.Kind == trace.Ended {
		delete(r.calls, h.Thread)
	}
	if h.Kind != trace.Called && h.Kind != trace.Filtered || r.unknown != "" {
		return on, nil
	}
	info, err := r.info(h, on)
	switch {
	case errors.Is(err, syscall.ESRCH):
		return trace.Run, err
	case err != nil:
		r.unknown = err.Error()
	case info.Operation == trace.Exit:
		r.leave(h.Thread, info)
	default:
		if err := r.enter(h.Thread, info); err != nil {
			return on, err
		}
		if call := r.calls[h.Thread]; call != nil && r.names[call.Number()] == "mmap" {
			return trace.RunToCall, nil
		}
	}
	return on, nil
}

// info describes the call at which a thread stopped.
func (r *recorder) info(h trace.Halt, on trace.Way) (*trace.Info, error) {
	calls := r.running.calls
	switch {
	case h.Kind == trace.Filtered:
		return calls.As(h.Thread, trace.Seccomp)
	case on == trace.Run:
		return calls.As(h.Thread, trace.Exit)
	}
	return calls.At(h.Thread)
}

// enter records a call before the kernel does any of it.
func (r *recorder) enter(tid int, info *trace.Info) error {
	name := r.names[info.Number()]
	if name == "" {
		delete(r.calls, tid)
		return nil
	}
	r.calls[tid] = info
	r.count[name]++
	args := info.Arguments()
	k := r.p.Kernel.Table
	switch name {
	case "clone":
		flags := args[place(k, abi.CloneFlags)]
		if flags&cloneThread == 0 {
			break
		}
		r.words[name][flags]++
		r.stacks = append(r.stacks, args[place(k, abi.CloneStack)])
		if r.open == "" {
			r.open = openSignals(tid)
		}
		if r.cloning == nil {
			r.cloning = r.callers(tid, info)
		}
	case "mmap":
		args, err := trace.MmapArguments(k, tid, args)
		if err != nil {
			return err
		}
		copy(info.Words[1:], args[:]) // leave uses these
		r.words[name][args[3]]++
		if args[3]&k.Map.Stack != 0 {
			r.marked++
		}
	case "mprotect":
		r.words[name][args[2]]++
	case "sigaltstack":
		if tid != r.main && r.started == nil {
			r.started = r.callers(tid, info)
		}
	}
	return nil
}

// leave records the memory that an mmap gave.
func (r *recorder) leave(tid int, info *trace.Info) {
	call := r.calls[tid]
	delete(r.calls, tid)
	if call == nil || r.names[call.Number()] != "mmap" {
		return
	}
	if at, errno := info.Result(); errno == 0 {
		args := call.Arguments()
		r.areas = append(r.areas, area{at, at + args[1], args[2]})
	}
}

// callers returns the functions through which a thread made its call, the innermost
// first.
func (r *recorder) callers(tid int, info *trace.Info) []string {
	if r.stack == nil {
		return nil
	}
	names, err := r.stack.functions(tid, info)
	if err != nil {
		r.walk = err.Error()
	}
	return names
}

// emit records what the program did. The name of each step gets a prefix.
func (r *recorder) emit(before string, said words) {
	p := r.p
	said.emit(p, before)
	if said.err != nil && r.unknown == "" {
		r.unknown = said.err.Error()
	}
	if r.unknown != "" {
		p.Observe(before+"clone").Unknown("calls", r.unknown).Emit()
		return
	}
	for _, name := range []string{"mmap", "munmap", "mprotect", "sigaltstack", "clone", "clone3"} {
		o := p.Observe(before+name).Set("calls", r.count[name])
		switch name {
		case "mmap":
			o.Set("flags", list(r.words[name])).Set("marked", r.marked)
			o.Set("names", names(r.words[name], mapNames(p.Kernel.Map)))
		case "mprotect":
			o.Set("prots", list(r.words[name]))
		case "clone":
			threads := 0
			for _, n := range r.words[name] {
				threads += n
			}
			o.Set("threads", threads).Set("flags", list(r.words[name]))
			o.Set("names", names(r.words[name], cloneNames()))
			o.Set("open", r.open).Set("by", r.running.by())
			r.place(o)
		}
		o.Emit()
	}
	if !r.other {
		r.frames(before+"cloning", r.cloning)
		r.frames(before+"started", r.started)
	}
}

// openSignals returns the numbers of the signals that a thread does not block.
func openSignals(tid int) string {
	mask, err := limit.Field(fmt.Sprintf("/proc/%d/status", tid), "SigBlk")
	if err != nil {
		return err.Error()
	}
	var numbers []string
	for i := range mask {
		digit, err := strconv.ParseUint(mask[len(mask)-1-i:len(mask)-i], 16, 4)
		if err != nil {
			return err.Error()
		}
		for bit := 0; bit < 4; bit++ {
			if digit>>uint(bit)&1 == 0 {
				numbers = append(numbers, strconv.Itoa(4*i+bit+1))
			}
		}
	}
	return strings.Join(numbers, " ")
}

func (r *recorder) frames(step string, names []string) {
	o := r.p.Observe(step)
	if len(names) == 0 && r.walk != "" {
		o.Unknown("frames", r.walk)
	} else {
		o.Set("frames", strings.Join(names, " "))
	}
	if r.walk != "" {
		o.Unknown("more", r.walk)
	}
	o.Emit()
}

// place records where the threads' stacks lie: the number of addresses and of
// mappings. It also records how many are outside all mappings, and how many are in
// one that cannot be written.
func (r *recorder) place(o *probe.Obs) {
	in, different, outside, unwritable := map[area]bool{}, map[uint64]bool{}, 0, 0
	for _, top := range r.stacks {
		different[top] = true
		a, found := r.areaOf(top - 1)
		switch {
		case !found:
			outside++
		case a.prot&r.p.Kernel.Prot.Write == 0:
			unwritable++
		}
		in[a] = true
	}
	o.Set("stacks", len(different)).Set("mappings", len(in)).Set("outside", outside).Set("unwritable", unwritable)
}

// areaOf returns the latest mapping of an address.
func (r *recorder) areaOf(addr uint64) (area, bool) {
	for i := len(r.areas) - 1; i >= 0; i-- {
		if a := r.areas[i]; a.start <= addr && addr < a.end {
			return a, true
		}
	}
	return area{}, false
}
