package newosproc

import (
	"fmt"
	"runtime"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/linetable"
	"github.com/mapstack/conformance/poc/trace"
)

// maxFrames bounds the length of a call chain.
const maxFrames = 32

// walker finds the callers of a stopped thread. The thread runs this same program,
// so this program's symbols and table of functions describe it.
type walker struct {
	table *linetable.Table
	link  int // place of the link register, or abi.Unreachable
}

func newWalker(k abi.Table) (*walker, error) {
	places, known := k.Registers()
	if !known {
		return nil, fmt.Errorf("poc/abi does not know the registers of %s", k.GOARCH)
	}
	table, err := linetable.Read("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	return &walker{table, places.Link}, nil
}

// functions returns the names of the functions through which a thread made its
// call, the innermost first. It stops where the thread changed its stack. With an
// error the names found so far are returned.
func (w *walker) functions(tid int, info *trace.Info) ([]string, error) {
	pcs, err := w.returns(tid, info)
	var names []string
	if len(pcs) == 0 {
		return names, err
	}
	for frames := runtime.CallersFrames(pcs); ; {
		f, more := frames.Next()
		if f.Function != "" {
			names = append(names, f.Function)
		}
		if !more {
			return names, err
		}
	}
}

// returns returns what runtime.Callers would: the address after the call in each
// function.
func (w *walker) returns(tid int, info *trace.Info) (pcs []uintptr, err error) {
	// The instruction pointer is after the instruction that called the kernel.
	pc, sp := info.Instruction, info.Stack
	for len(pcs) < maxFrames {
		f := runtime.FuncForPC(uintptr(pc - 1))
		if f == nil {
			return pcs, fmt.Errorf("%#x, where the function behind %d others returns to, is in no function", pc, len(pcs))
		}
		pcs = append(pcs, uintptr(pc))
		if switches(f.Name()) {
			return pcs, nil
		}
		moved, err := w.table.Moved(uint64(f.Entry()), pc-1)
		if err != nil {
			return pcs, err
		}
		if pc, sp, err = w.caller(tid, sp, moved, len(pcs) == 1); err != nil {
			return pcs, err
		}
	}
	return pcs, nil
}

// switches reports whether a function begins a stack. Its caller is on another
// stack, or does not exist.
func switches(function string) bool {
	switch function {
	case "runtime.systemstack", "runtime.mcall", "runtime.mstart", "runtime.rt0_go", "runtime.goexit":
		return true
	}
	return false
}

// caller returns the return address of a function, and the stack pointer there
// (unwinder in Go's runtime/traceback.go). If calls put the address on the stack,
// it is above the function's frame. Else it is at the bottom of the frame. An
// innermost function without a frame has it in the link register.
func (w *walker) caller(tid int, sp, moved uint64, last bool) (uint64, uint64, error) {
	if w.link == abi.Unreachable {
		pc, err := trace.Peek(tid, sp+moved)
		return pc, sp + moved + 8, err
	}
	if last && moved == 0 {
		registers, err := trace.RegistersOf(tid)
		if err != nil {
			return 0, 0, err
		}
		return registers.All[w.link], sp, nil
	}
	pc, err := trace.Peek(tid, sp)
	return pc, sp + moved, err
}
