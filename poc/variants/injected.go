package variants

import (
	"path/filepath"
	"sync/atomic"

	"github.com/mapstack/conformance/poc/inject"
	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/stackfallback"
	"github.com/mapstack/conformance/poc/threadstacks"
)

// injected is the program below the injector.
func injected(p *probe.P) {
	dir, flags := p.Args[0], make([]uint64, len(defects))
	// The threads come last: a process with few is copied at less cost.
	for i, defect := range defects {
		limit.Must(inject.Turn(i))
		start(p, defect+strict, filepath.Join(dir, "threadstacks-strict"), "few")
		start(p, defect+fallback, filepath.Join(dir, "threadstacks-fallback"), "few")
		detect(p, defect)
		// This program asks the detector too, and goes by the answer.
		if flags[i] = stackfallback.Flags(p, stackfallback.Ask(p)); flags[i] != 0 {
			p.Observe(defect + detector + fallback).Copy(probe.Copy{Name: "starved", Body: starved}).Emit()
		}
	}
	crowd := &threadstacks.Crowd{}
	for i, defect := range defects {
		limit.Must(inject.Turn(i))
		stand(p, crowd, defect, flags[i] == 0)
	}
}

// detect observes the detector, in a process of its own.
func detect(p *probe.P, defect string) {
	p.Observe(defect + detector).Copy(probe.Copy{Name: "detector", Body: ask}).Emit()
}

func ask(p *probe.P) { stackfallback.Detect(p) }

// starved insists on MAP_STACK. It ends at the first refusal.
func starved(p *probe.P) { stackfallback.Stacks(p, p.Kernel.Map.Stack, threadstacks.Few) }

// stand adds threads of the stock runtime, and observes their stacks. If the detector
// said no to MAP_STACK, each also uses a stack that is mapped without.
func stand(p *probe.P, crowd *threadstacks.Crowd, defect string, no bool) {
	if !no {
		limit.Must(crowd.Add(nil))
		crowd.Look(p, defect+stock+".generation 0")
		return
	}
	stacks := stackfallback.Stacks(p, 0, threadstacks.Few)
	var begun, up int32
	limit.Must(crowd.Add(func() {
		if i := int(atomic.AddInt32(&begun, 1)) - 1; i < len(stacks) {
			stackfallback.Use(stacks[i])
			atomic.AddInt32(&up, 1)
		}
	}))
	crowd.Look(p, defect+stock+".generation 0")
	p.Observe(defect+detector+fallback+".threads").Set("up", atomic.LoadInt32(&up)).Emit()
}
