// Package variants observes Go programs whose runtimes treat MAP_STACK differently.
// It runs them on the kernel as it is, and as it would be with each defect that
// concerns the flag.
//
// stock never uses the flag, strict maps every thread's stack with it, and fallback
// asks once whether it can be used. detector examines it as carefully as a program
// can, and reports what it found.
//
// A runtime that uses the flag decides when it starts, so that each defect needs a
// program of its own. The stock runtime decides nothing: one program, which runs the
// others, meets all defects.
package variants

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/wire"
)

// defects are those of poc/defect that concern the flag.
var defects = []string{"stack-eperm", "stack-einval", "stack-eopnotsupp", "stack-enomem", "stack-read-only"}

// The names of the steps below a defect, or below none.
const (
	none     = "none"
	stock    = ".stock"
	strict   = ".strict"
	fallback = ".fallback"
	detector = ".detector"
)

// patience bounds a run of all programs: some seconds for each. Most die at once.
const patience = 4 * time.Minute

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		dir := filepath.Dir(os.Args[0])
		// Each of these has more threads than any below a defect.
		start(p, none+stock, filepath.Join(dir, "threadstacks"), "once")
		start(p, none+strict, filepath.Join(dir, "threadstacks-strict"), "once")
		start(p, none+fallback, filepath.Join(dir, "threadstacks-fallback"), "once")
		detect(p, none)
		belowInjector(p, dir)
	}, map[string]func(*probe.P){"injected": injected, "detector": ask, "starved": starved})
}

// start runs a program as a step.
func start(p *probe.P, step, program, arg string) {
	p.Observe(step).Child(probe.Child{Program: program, Args: []string{arg}}).Emit()
}

// belowInjector runs this program below an injector of all defects. What it runs there
// ends as it does, if it has no end of its own.
func belowInjector(p *probe.P, dir string) {
	seen := map[string]bool{}
	child := probe.Child{
		Program: filepath.Join(dir, "inject"), Limit: patience,
		Args: []string{strings.Join(defects, ","), "variants", "-child", "injected", dir},
	}
	exit, err := child.Run(func(sub wire.Observation) {
		seen[sub.Step] = true
		p.Pass("", sub)
	})
	for _, defect := range defects {
		for _, program := range []string{stock, strict, fallback, detector, detector + fallback} {
			if !seen[defect+program] {
				p.Observe(defect+program).Ended(exit, err).Emit()
			}
		}
	}
}
