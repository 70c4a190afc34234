// Package variants observes Go programs whose runtimes treat MAP_STACK differently.
// It runs them on the kernel as it is, and as it would be with each defect that
// concerns the flag.
//
// stock never uses the flag, strict maps every thread's stack with it, and fallback
// asks once whether it can be used. detector examines it as carefully as a program
// can, and reports what it found.
package variants

import (
	"os"
	"path/filepath"
	"time"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/wire"
)

// none is the kernel as it is, without the injector.
const none = "none"

// defects are those of poc/defect that concern the flag.
var defects = []string{"stack-eperm", "stack-einval", "stack-eopnotsupp", "stack-enomem", "stack-read-only"}

// programs lists the file of each runtime and of the detector, in the folder of
// this program. crowd is the argument with which it makes many threads, and handful
// that for as few as tell what a defect does.
var programs = []struct{ name, program, crowd, handful string }{
	{"stock", "threadstacks", "once", "few"},
	{"strict", "threadstacks-strict", "once", "few"},
	{"fallback", "threadstacks-fallback", "once", "few"},
	{"detector", "stackfallback", "once", "few"},
}

// patience bounds a run of all programs: a minute for each, as for any child.
const patience = 4 * time.Minute

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		dir := filepath.Dir(os.Args[0])
		for _, r := range programs {
			p.Observe(none + "." + r.name).Child(probe.Child{Program: filepath.Join(dir, r.program), Args: []string{r.crowd}}).Emit()
		}
		for _, defect := range defects {
			inject(p, defect, dir)
		}
	}, map[string]func(*probe.P){
		"injected": func(p *probe.P) {
			for _, r := range programs {
				p.Observe(r.name).Child(probe.Child{Program: filepath.Join(p.Args[0], r.program), Args: []string{r.handful}}).Emit()
			}
		},
	})
}

// inject runs all programs below one injector. It ends as each of them did if it ran
// none.
func inject(p *probe.P, defect, dir string) {
	o, ran := p.Observe(defect), 0
	child := probe.Child{
		Program: filepath.Join(dir, "inject"), Args: []string{defect, "variants", "-child", "injected", dir}, Limit: patience,
	}
	exit, err := child.Run(func(sub wire.Observation) {
		ran++
		o.Pass(sub)
	})
	o.Ended(exit, err).Emit()
	if ran > 0 {
		return
	}
	for _, r := range programs {
		p.Observe(defect+"."+r.name).Ended(exit, err).Emit()
	}
}
