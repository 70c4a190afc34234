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
	// group is the memory group that ended it, nil for the machine's own OOM killer. sure
	// reports that this was counted of the group alone, or that the kernel's log says so.
	group *census.MemoryGroup
	sure  bool
	order int
}

// maxDeaths bounds how many deaths are kept.
const maxDeaths = 256

// Died notes a thread or a process that a filter or an OOM killer has ended.
func (j *journal) Died(d watch.Death, _ watch.Thread) {
	if d.Process() {
		delete(j.readers, d.PID)
	}
	if known := j.deathOf(d.PID); known != nil {
		if int(d.Status.Signal()) == known.Signal {
			known.order = j.next()
			known.Thread = known.Thread && !d.Process()
		}
		return
	}
	if !d.Status.Signaled() {
		return
	}
	death := &Death{PID: d.PID, TID: d.TID, Signal: int(d.Status.Signal()), Thread: !d.Process()}
	switch d.Status.Signal() {
	case syscall.SIGSYS:
		death.filters = j.installers()
		death.Call = j.callOf(d)
		j.alarm.Reset(patience) // the rest of the program may wait for the thread
	case syscall.SIGKILL:
		// The kernel counts a kill before it kills, so that the first of many threads
		// that end shows it. Parents kill children too.
		if d.Sender != 0 || j.asked == d.PID || !j.blame(death) {
			j.asked = d.PID
			return
		}
	default:
		return
	}
	death.state, _ = census.Take(j.root, death.PID, death.task())
	death.Program, death.order = death.state.Name, j.next()
	if len(j.deaths) < maxDeaths {
		j.deaths = append(j.deaths, death)
	}
}

// end notes how the program ended, where nobody watched its death.
func (j *journal) end(status syscall.WaitStatus) {
	if j.deathOf(j.pid) == nil {
		j.Died(watch.Death{PID: j.pid, Status: status}, watch.Thread{})
	}
}

// task returns the thread whose files in /proc are read: the first one of a process.
func (d *Death) task() int {
	if d.TID == 0 {
		return d.PID
	}
	return d.TID
}

// callOf returns the name or the number of the call at which a filter ended a thread, ""
// where neither the watch nor the kernel's log has it.
func (j *journal) callOf(d watch.Death) string {
	number := uint64(0)
	if d.Call != nil {
		number = d.Call.Number
		if d.Call.Call != "" {
			return d.Call.Call
		}
	} else {
		var logged bool
		if number, logged = filteredCall(j.log(), d.PID); !logged {
			return ""
		}
	}
	for _, c := range j.kernel.Syscall.Named() {
		if number != 0 && c.Value == number { // 0 stands for a call that is not there
			return strings.ToLower(strings.TrimPrefix(c.Name, "SYS_"))
		}
	}
	return fmt.Sprintf("system call %d", number)
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

// blame finds the OOM killer that ended a process. It reports false when none did.
func (j *journal) blame(d *Death) bool {
	// The machine counts the kills of groups too.
	now, err := census.OOMKilled(j.root)
	grown := err == nil && more(now, j.before.OOMKilled)
	if err == nil {
		j.before.OOMKilled = now
	}
	groups := census.GroupsOf(j.root, d.PID, d.task()).Memory
	if len(groups) == 0 {
		groups = j.baseline.memory
	}
	if g, ok := j.baseline.killed(j.root, groups); ok {
		d.group, d.sure = &g, true
		return true
	}
	if !grown {
		return false
	}
	kill, logged := loggedKill(j.log(), d.PID)
	d.sure = logged
	switch g, ok := newcomer(groups, j.baseline); {
	case kill.group != "":
		g = census.MemoryGroupNamed(j.root, kill.group)
		d.group = &g
	case ok && (kill.limited || !logged):
		d.group = &g
	case kill.limited:
		d.group = &census.MemoryGroup{} // it is gone, or cannot be seen
	}
	return true
}
