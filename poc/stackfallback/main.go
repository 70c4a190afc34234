// Package stackfallback observes what happens to a program that maps its threads'
// stacks with MAP_STACK on the running kernel. It records what a detector says
// about the flag. Three allocators then run, each in a child that wants stacks for
// 40 locked threads.
//
// plain never uses the flag. strict always does, and without a stack it dies as the
// Go runtime's newosproc does. fallback asks the detector once, and uses the flag
// unless the answer is no.
//
// These children have the stock Go runtime, whose threads have their own stacks.
// Each thread writes to both ends of the stack that the allocator gave for it.
package stackfallback

import (
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/stackprobe"
)

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		Detect(p)
		for _, mode := range []string{"plain", "strict", "fallback"} {
			p.Observe(mode).Child(probe.Child{Name: mode}).Emit()
		}
	}, map[string]func(*probe.P){
		"plain":  func(p *probe.P) { threads(p, 0) },
		"strict": func(p *probe.P) { threads(p, p.Kernel.Map.Stack) },
		"fallback": func(p *probe.P) {
			threads(p, Flags(p, Detect(p)))
		},
	})
}

// Flags returns the flag for stacks that an answer of the detector allows, or none.
func Flags(p *probe.P, r stackprobe.Result) uint64 {
	// "Could not tell" does not mean no. A lack of memory must show when a stack is
	// asked for, and must not be hidden by another kind of stack.
	if r.Answer == stackprobe.No {
		return 0
	}
	return p.Kernel.Map.Stack
}

// Ask asks the detector.
func Ask(p *probe.P) stackprobe.Result {
	return stackprobe.Detect(stackprobe.Kernel{Calls: p.Kernel}, p.Kernel.Table)
}

// Detect observes the detector: its answer, and each page that it tried.
func Detect(p *probe.P) stackprobe.Result {
	r := Ask(p)
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

// page observes one page, if the detector tried it.
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
	o.Set("write", p.Outcome(q.Write)).Set("read", p.Outcome(q.Read)).Set("lost", q.Lost)
}
