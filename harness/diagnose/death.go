package diagnose

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// Death is a thread or a process that the kernel ended.
type Death struct {
	PID     int    `json:"pid"`
	TID     int    `json:"tid,omitempty"`
	Program string `json:"program,omitempty"`
	Signal  int    `json:"signal"`
	// Thread reports that one thread was ended, and the rest of its process goes on.
	Thread bool `json:"thread,omitempty"`
	// Call is the call at which a seccomp filter ended it, "" if it is not known.
	Call string `json:"call,omitempty"`

	filters Filters
	state   census.Census
	// group is the memory group that ended it; machine reports that the machine's own
	// OOM killer did, and logged that the kernel's log says so.
	group           *census.MemoryGroup
	machine, logged bool
	order           int
	sender          int
}

// maxDeaths bounds how many deaths are kept.
const maxDeaths = 256

// Died notes a thread or a process that a filter or an OOM killer may have ended.
func (j *journal) Died(d watch.Death, t watch.Thread) {
	if d.Process() {
		delete(j.readers, d.PID)
	}
	if !d.Status.Signaled() || d.Status.Signal() != syscall.SIGSYS && d.Status.Signal() != syscall.SIGKILL {
		return
	}
	known := j.deathOf(d.PID)
	if known == nil {
		known = &Death{PID: d.PID, TID: d.TID, Signal: int(d.Status.Signal()), Thread: !d.Process(), sender: d.Sender}
		known.state, _ = census.Take(j.root, d.PID, max(d.TID, d.PID))
		known.Program = known.state.Name
		if len(j.deaths) < maxDeaths {
			j.deaths = append(j.deaths, known)
		}
	}
	known.order = j.next()
	if d.Process() {
		known.Thread = false
	}
	switch d.Status.Signal() {
	case syscall.SIGSYS:
		if d.Call != nil && known.Call == "" {
			known.Call, known.filters = nameOf(*d.Call), j.ask(*d.Call, t)
		}
		j.alarm.Reset(patience) // the rest of the program may wait for the thread
	case syscall.SIGKILL:
		j.blame(known)
	}
}

// nameOf returns the name of a call, or its number.
func nameOf(a watch.Attempt) string {
	if a.Call == "" {
		return fmt.Sprintf("system call %d", a.Number)
	}
	return a.Call
}

// deathOf returns what is known of the death of a process.
func (j *journal) deathOf(pid int) *Death {
	for i := len(j.deaths) - 1; i >= 0; i-- {
		if j.deaths[i].PID == pid {
			return j.deaths[i]
		}
	}
	return nil
}

// blame finds the OOM killer that ended a process.
func (j *journal) blame(d *Death) {
	if d.group != nil || d.machine || d.sender != 0 {
		return
	}
	groups := d.state.Groups.Memory
	if len(groups) == 0 {
		groups = j.baseline.memory
	}
	if g, ok := j.baseline.killed(j.root, groups); ok {
		d.group = &g
		return
	}
	now, err := census.OOMKilled(j.root)
	if err != nil || !more(now, j.before.OOMKilled) {
		return
	}
	j.before.OOMKilled = now
	switch d.logged = loggedKill(j.log(), d.PID); {
	case d.logged, d.state.Observer.SeesAll:
		d.machine = true
	}
}

// loggedKill reports whether the kernel's log has the line of the machine's OOM killer
// for a process, such as "Out of memory: Killed process 70 (app) total-vm:...".
func loggedKill(log string, pid int) bool {
	for line := range strings.Lines(log) {
		_, rest, of := strings.Cut(line, "Out of memory")
		if of && (strings.Contains(rest, fmt.Sprintf("Killed process %d ", pid)) || strings.Contains(rest, fmt.Sprintf("Kill process %d ", pid))) {
			return true
		}
	}
	return false
}
