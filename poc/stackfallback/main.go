// Command stackfallback observes what becomes of a program that maps its
// threads' stacks with MAP_STACK, on the kernel it runs on: what a detector says
// of the flag, and how three allocators end, each in a child that wants stacks
// for 40 locked threads. plain never gives the flag; strict always does, and dies
// as the Go runtime's newosproc does when it gets no stack; fallback asks the
// detector once, and gives the flag unless that says no. With the argument "once"
// there is only fallback.
//
// The Go runtime of these children is the stock one, whose stacks are its own:
// what each allocator hands out is written at both ends by the thread it is for.
package main

import (
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/stackprobe"
)

func main() {
	probe.Run(func(p *probe.P) {
		detect(p)
		modes := []string{"plain", "strict", "fallback"}
		if len(p.Args) == 1 && p.Args[0] == "once" {
			modes = modes[2:]
		}
		for _, mode := range modes {
			p.Observe(mode).Child(probe.Child{Name: mode}).Emit()
		}
	}, map[string]func(*probe.P){
		"plain":  func(p *probe.P) { threads(p, 0) },
		"strict": func(p *probe.P) { threads(p, p.Kernel.Map.Stack) },
		"fallback": func(p *probe.P) {
			// What could not be told is not "no": a lack of memory must show where
			// a stack is asked for, and not be hidden by another kind of stack.
			if r := detect(p); r.Answer == stackprobe.No {
				threads(p, 0)
			} else {
				threads(p, p.Kernel.Map.Stack)
			}
		},
	})
}

// detect observes the detector: its answer, and each page it looked at.
func detect(p *probe.P) stackprobe.Result {
	r := stackprobe.Detect(stackprobe.Kernel{Calls: p.Kernel}, p.Kernel.Table)
	o := p.Observe("detect").Set("answer", r.Answer).Set("finding", r.Finding).Set("reason", r.Reason)
	o.Set("error", p.Outcome(r.Errno)).Emit()
	page(p, "plain", "mmap(read|write)", r.Plain)
	page(p, "plain guard", "mprotect(none)", r.PlainGuard)
	page(p, "plain read-only", "mmap(read)", r.ReadOnly)
	page(p, "stack", "mmap(read|write, MAP_STACK)", r.Stack)
	page(p, "stack guard", "mprotect(none)", r.StackGuard)
	page(p, "stack mended", "mprotect(read|write)", r.Mended)
	return r
}

// page observes one page, if it was asked for.
func page(p *probe.P, step, call string, q stackprobe.Page) {
	o := p.Observe("detect." + step)
	defer o.Emit()
	if !q.Tried && q.Errno == 0 {
		o.Unknown("ret", "the detector had no reason to ask")
		return
	}
	if !o.Returned(call, 0, q.Errno) {
		return
	}
	if q.Look != nil {
		o.Unknown("perms", q.Look.Error())
	} else {
		o.Set("perms", q.Perms)
	}
	for key, errno := range map[string]syscall.Errno{"write": q.Write, "read": q.Read} {
		o.Set(key, p.Outcome(errno))
	}
	o.Set("lost", q.Lost)
}
