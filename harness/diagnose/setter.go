package diagnose

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// Setter is a process that set a resource limit while it was watched.
type Setter struct {
	PID     int
	Program string
	Limit   int // RLIMIT_* of this machine
	Soft    uint64
}

// maxSetters bounds how many are kept; the oldest are forgotten first.
const maxSetters = 64

// set notes a call that set a limit. A shell that starts a program by ulimit is another
// program then.
func (j *journal) set(a watch.Attempt) {
	name, _ := fs.ReadFile(j.root, fmt.Sprintf("proc/%d/comm", a.PID))
	if len(j.setters) == maxSetters {
		j.setters = slices.Delete(j.setters, 0, 1)
	}
	j.setters = append(j.setters, Setter{PID: a.PID, Program: strings.TrimSpace(string(name)), Limit: a.Limit, Soft: a.Soft})
}

// setter says which process set a limit that has the value soft. A child and a program
// that is executed inherit limits.
func (e Evidence) setter(limit uint64, soft census.Amount) Text {
	for _, s := range slices.Backward(e.Setters) {
		if soft == census.Known(s.Soft) && uint64(s.Limit) == limit {
			return Text{"; %[1]s set this limit", "；该限制由%[1]s设置"}.with(program(s.PID, s.Program))
		}
	}
	return Text{}
}
