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
}

// Reserved is RESERVED_PIDS (kernel/pid.c). Once the numbers have wrapped, the
// kernel gives only those from here upwards.
const Reserved = 300

// tasks is given how many tasks /proc lists.
func (r reader) tasks(listed Amount) Tasks {
	t := Tasks{Max: r.sysctl("kernel/threads-max", "threadsMax"), PIDMax: r.sysctl("kernel/pid_max", "pidMax")}
	var err error
	t.Count, err = counted(r.root)
	r.note("tasks", err)
	if listed.State == Exact {
		t.IDs = Known(listed.N - min(r.low(), listed.N))
	}
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

// listed counts the tasks of all processes that /proc lists, and those of one
// user.
func (r reader) listed(user uint32) (all, own Amount) {
	entries, err := fs.ReadDir(r.root, "proc")
	var every, of uint64
	for _, e := range entries {
		if name := e.Name(); name[0] < '0' || name[0] > '9' {
			continue
		}
		owner, threads, err := threadsOf(r.root, "proc/"+e.Name()+"/status")
		if err != nil {
			continue // it has ended
		}
		every += threads
		if owner == user {
			of += threads
		}
	}
	if err == nil && every == 0 {
		err = errors.New("/proc shows no process")
	}
	if err != nil {
		r.note("userTasks", err)
		r.note("ids", err)
		return Amount{}, Amount{}
	}
	return Known(every), Known(of)
}

// threadsOf reads the real user of a process and how many threads it has. A
// process that has ended and was not waited for still counts as a task.
func threadsOf(root fs.FS, status string) (user uint32, threads uint64, err error) {
	err = lines(root, status, func(line string) bool {
		key, rest, _ := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if len(f) == 0 {
			return false
		}
		switch key {
		case "Uid":
			n, _ := strconv.ParseUint(f[0], 10, 32)
			user = uint32(n)
		case "Threads":
			threads, _ = strconv.ParseUint(f[0], 10, 32)
			return true
		}
		return false
	})
	return user, threads, err
}
