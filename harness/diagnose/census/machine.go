package census

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// memory counts the mappings of the program and reads the machine's memory.
func (t *taker) memory() {
	n := uint64(0)
	if err := lines(t.root, t.process("maps"), func(line string) bool {
		// What the kernel shows beside the mappings that it counts.
		if !strings.HasSuffix(line, "[vsyscall]") {
			n++
		}
		return false
	}); err != nil {
		t.unknown("maps", err)
	} else {
		t.c.Maps = Known(n)
	}
	for _, m := range []struct {
		line, key string
		into      *Amount
	}{
		{"MemAvailable:", "available", &t.c.Available},
		{"CommitLimit:", "commitLimit", &t.c.CommitLimit},
		{"Committed_AS:", "committed", &t.c.Committed},
	} {
		var err error
		if *m.into, err = keyed(t.root, "proc/meminfo", m.line); err != nil {
			t.unknown(m.key, err)
		}
		m.into.N <<= 10 // meminfo has KiB
	}
}

func (t *taker) sysctls() {
	for _, s := range []struct {
		file, key string
		into      *Amount
	}{
		{"kernel/threads-max", "threadsMax", &t.c.ThreadsMax},
		{"kernel/pid_max", "pidMax", &t.c.PIDMax},
		{"vm/max_map_count", "maxMapCount", &t.c.MapCount},
		{"vm/overcommit_memory", "overcommit", &t.c.Overcommit},
	} {
		var err error
		if *s.into, err = number(t.root, "proc/sys/"+s.file); err != nil {
			t.unknown(s.key, err)
		}
	}
}

// tasks counts the machine's tasks, the user's, and the numbers that are taken.
func (t *taker) tasks() {
	var err error
	if t.c.Tasks, err = allTasks(t.root); err != nil {
		t.unknown("tasks", err)
	}
	all, mine, err := t.visible()
	if err != nil {
		t.unknown("userTasks", err)
		t.unknown("ids", err)
		return
	}
	t.c.UserTasks = Known(mine)
	low := uint64(0)
	for id := 1; id < Reserved; id++ {
		// /proc has threads by their number too; it only does not list them.
		if _, err := fs.Stat(t.root, "proc/"+strconv.Itoa(id)+"/status"); err == nil {
			low++
		}
	}
	t.c.IDs = Known(all - min(low, all))
}

// allTasks is the second half of the fourth field of /proc/loadavg, which is
// the kernel's own count.
func allTasks(root fs.FS) (Amount, error) {
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

// visible counts the tasks that /proc shows, and those of the thread's user.
func (t *taker) visible() (all, mine uint64, err error) {
	entries, err := fs.ReadDir(t.root, "proc")
	if err != nil {
		return 0, 0, err
	}
	for _, e := range entries {
		if name := e.Name(); name[0] < '0' || name[0] > '9' {
			continue
		}
		user, threads, err := owner(t.root, "proc/"+e.Name()+"/status")
		if err != nil {
			continue // it has ended
		}
		all += threads
		if user == t.c.User {
			mine += threads
		}
	}
	if all == 0 {
		return 0, 0, errors.New("/proc shows no process")
	}
	return all, mine, nil
}

// owner reads the real user of a process and how many threads it has. A process
// that has ended and is not waited for is a task too.
func owner(root fs.FS, status string) (user uint32, threads uint64, err error) {
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

// container looks for what runtimes leave in their containers, and in the names
// of their control groups.
func (t *taker) container() {
	for _, mark := range []struct{ file, runtime string }{
		{"var/run/secrets/kubernetes.io", "kubernetes"},
		{"run/secrets/kubernetes.io", "kubernetes"},
		{".dockerenv", "docker"},
		{"run/.containerenv", "podman"},
		{"run/systemd/container", "container"},
	} {
		if _, err := fs.Stat(t.root, mark.file); err == nil {
			t.c.Container = mark.runtime
			return
		}
	}
	for _, g := range t.c.Pids {
		for _, mark := range []struct{ part, runtime string }{
			{"kubepods", "kubernetes"}, {"docker", "docker"}, {"libpod", "podman"}, {"lxc", "lxc"},
		} {
			if strings.Contains(g.Path, mark.part) {
				t.c.Container = mark.runtime
				return
			}
		}
	}
}
