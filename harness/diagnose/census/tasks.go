package census

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Tasks are the tasks of the whole machine, and the numbers that they have in
// the PID namespace of this process.
type Tasks struct {
	Max Amount `json:"threadsMax"` // kernel.threads-max
	// Count is all of them, those of other containers too.
	Count  Amount `json:"tasks"`
	PIDMax Amount `json:"pidMax"` // kernel.pid_max
	// IDs is how many numbers from Reserved upwards are taken.
	IDs Amount `json:"ids"`
	// Dead are those that have ended, the largest kinds first.
	Dead []Dead `json:"dead,omitempty"`
}

// Reserved is RESERVED_PIDS (kernel/pid.c). Once the numbers have wrapped, the
// kernel gives only those from here upwards.
const Reserved = 300

func (r reader) tasks() Tasks {
	t := Tasks{Max: r.sysctl("kernel/threads-max", "threadsMax"), PIDMax: r.sysctl("kernel/pid_max", "pidMax")}
	var err error
	t.Count, err = counted(r.root)
	r.note("tasks", err)
	return t
}

// counted returns the kernel's own count of tasks: the second half of the fourth
// field of /proc/loadavg.
func counted(root fs.FS) (Amount, error) {
	line, err := first(root, "proc/loadavg")
	if err != nil {
		return Amount{}, err
	}
	if f := strings.Fields(line); len(f) == 5 {
		if _, total, ok := strings.Cut(f[3], "/"); ok {
			return amount(total)
		}
	}
	return Amount{}, fmt.Errorf("/proc/loadavg is %q", clip(line))
}

// low counts the tasks with numbers below Reserved. /proc does not list threads,
// but it has a folder for each.
func (r reader) low() (n uint64) {
	for id := 1; id < Reserved; id++ {
		if _, err := fs.Stat(r.root, "proc/"+strconv.Itoa(id)+"/status"); err == nil {
			n++
		}
	}
	return n
}

// count counts the tasks of all processes that /proc lists, those of one user, and
// the processes that have ended.
func (r reader) count(c *Census, user uint32) {
	c.Tasks = r.tasks()
	entries, err := fs.ReadDir(r.root, "proc")
	var every, of uint64
	mounted, _ := hierarchies(r.root)
	ended := dead{root: r.root, mounted: mounted}
	for _, e := range entries {
		pid, bad := strconv.Atoi(e.Name())
		if bad != nil {
			continue
		}
		p, err := processOf(r.root, pid)
		if err != nil {
			continue // it has ended, or is hidden
		}
		every += p.threads
		if p.user == user {
			of += p.threads
		}
		ended.add(p)
	}
	if err == nil && every == 0 {
		err = ErrNoProc
	}
	if err != nil {
		r.note("userTasks", err)
		r.note("ids", err)
		return
	}
	c.Tasks.Dead = ended.most()
	if c.Observer.SeesAll || c.Observer.User == user {
		c.User.Tasks = Known(of)
	} else {
		r.note("userTasks", errHidden)
	}
	switch {
	case !c.Observer.SeesAll:
		r.note("ids", errHidden)
	case c.ElsewherePIDs:
		r.note("ids", errors.New("the program is in another PID namespace"))
	default:
		c.Tasks.IDs = Known(every - min(r.low(), every))
	}
}

var errHidden = errors.New("/proc hides the processes of other users (hidepid)")

// process is what /proc/PID/status says of a process.
type process struct {
	pid, parent, tracer int
	name, state         string
	user                uint32 // the real user
	threads             uint64
}

// processOf reads the status of a process. A process that has ended and was not
// waited for still counts as a task.
func processOf(root fs.FS, pid int) (p process, err error) {
	p.pid = pid
	err = lines(root, "proc/"+strconv.Itoa(pid)+"/status", func(line string) bool {
		key, rest, _ := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if len(f) == 0 {
			return false
		}
		switch key {
		case "Name":
			p.name = strings.TrimSpace(rest)
		case "State":
			p.state = f[0]
		case "PPid":
			p.parent, _ = strconv.Atoi(f[0])
		case "TracerPid":
			p.tracer, _ = strconv.Atoi(f[0])
		case "Uid":
			n, _ := strconv.ParseUint(f[0], 10, 32)
			p.user = uint32(n)
		case "Threads":
			p.threads, _ = strconv.ParseUint(f[0], 10, 32)
			return true
		}
		return false
	})
	return p, err
}

func isNumber(name string) bool {
	_, err := strconv.Atoi(name)
	return err == nil
}
