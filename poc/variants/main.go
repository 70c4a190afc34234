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

	"github.com/mapstack/conformance/poc/probe"
)

// These are defects of poc/defect. none is the kernel as it is, without the
// injector.
const none = "none"

var defects = []string{none, "stack-eperm", "stack-einval", "stack-eopnotsupp", "stack-enomem", "stack-read-only"}

// programs lists the file of each runtime and of the detector, in the folder of
// this program.
var programs = []struct{ name, program string }{
	{"stock", "threadstacks"},
	{"strict", "threadstacks-strict"},
	{"fallback", "threadstacks-fallback"},
	{"detector", "stackfallback"},
}

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		dir := filepath.Dir(os.Args[0])
		for _, defect := range defects {
			for _, r := range programs {
				child := probe.Child{Program: filepath.Join(dir, r.program), Args: []string{"once"}}
				if defect != none {
					child.Args = append([]string{defect, r.program}, child.Args...)
					child.Program = filepath.Join(dir, "inject")
				}
				p.Observe(defect + "." + r.name).Child(child).Emit()
			}
		}
	}, nil)
}
