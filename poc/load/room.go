package load

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// need is what a load takes of a machine at most.
type need struct{ threads, files, mebibytes int }

// lack is a limit that leaves too little for a load.
type lack struct {
	limit       string // its name, or the file that sets it
	free, needs int    // tasks, files, or MiB
}

// failure is a call that the kernel refused before a load could begin.
type failure struct {
	call  string
	errno syscall.Errno
}

func (f failure) Error() string { return fmt.Sprintf("%s: %v", f.call, f.errno) }

// failed returns the error of a call of package syscall.
func failed(call string, err error) error { return failure{call, limit.ErrnoOf(err)} }

// spare is how many tasks must stay free for the programs of others.
const spare = 64

// room returns the first limit that leaves too little for a load; nil if there is none. A
// file or a count that cannot be read is no limit.
func room(p *probe.P, n need) *lack {
	for _, l := range []*lack{tasks(p, n.threads+spare), files(p, n.files), mebibytes(p, n.mebibytes)} {
		if l != nil {
			return l
		}
	}
	return nil
}

// below returns a limit that leaves less than what is needed; nil if it leaves enough.
func below(name string, most, used, needs int) *lack {
	if most-used >= needs {
		return nil
	}
	return &lack{name, most - used, needs}
}

// tasks looks at every limit of the number of tasks (pids.max, RLIMIT_NPROC, sysctls).
func tasks(p *probe.P, needs int) *lack {
	machine := 0
	if fd, err := syscall.Open("/proc/loadavg", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err == nil {
		machine = limit.Threads(fd, make([]byte, 256))
		syscall.Close(fd)
	}
	for _, name := range []string{"threads-max", "pid_max"} {
		if most, ok := number("/proc/sys/kernel/" + name); ok {
			if l := below("kernel."+name, most, machine, needs); l != nil {
				return l
			}
		}
	}
	if most, set := soft(p, p.Kernel.Rlimit.NProc); set && os.Getuid() != 0 {
		if l := below("RLIMIT_NPROC", most, tasksOf(os.Getuid()), needs); l != nil {
			return l
		}
	}
	return grouped("pids", 1, needs, count{"pids.max", "pids.current", ""})
}

// files raises the limit of open files as far as it may, if it is too low.
func files(p *probe.P, needs int) *lack {
	var now sys.Rlimit
	if errno := p.Kernel.Prlimit64(p.Kernel.Rlimit.NoFile, nil, &now); errno != 0 || now.Current >= uint64(needs) {
		return nil
	}
	raised := sys.Rlimit{Current: uint64(needs), Max: now.Max}
	if raised.Max < raised.Current {
		raised.Max = raised.Current // root may do this
	}
	if p.Kernel.Prlimit64(p.Kernel.Rlimit.NoFile, &raised, nil) == 0 {
		return nil
	}
	return &lack{"RLIMIT_NOFILE", int(now.Max), needs}
}

// mebibytes looks at the memory of the machine, of the control groups and of this process.
func mebibytes(p *probe.P, needs int) *lack {
	if kib, err := limit.Number("/proc/meminfo", "MemAvailable"); err == nil {
		if l := below("MemAvailable", kib>>10, 0, needs); l != nil {
			return l
		}
	}
	if most, set := soft(p, p.Kernel.Rlimit.AS); set {
		if kib, err := limit.Number(limit.Self, "VmSize"); err == nil {
			if l := below("RLIMIT_AS", most>>20, kib>>10, needs); l != nil {
				return l
			}
		}
	}
	return grouped("memory", 1<<20, needs,
		count{"memory.max", "memory.current", "inactive_file"},
		count{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}) // version 1
}

// soft returns a resource limit of this process, and whether there is one.
func soft(p *probe.P, resource uint64) (int, bool) {
	var now sys.Rlimit
	errno := p.Kernel.Prlimit64(resource, nil, &now)
	return int(now.Current), errno == 0 && now.Current < 1<<62
}

// number reads a file that has one number; false if it has none, such as "max".
func number(file string) (int, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return n, err == nil
}

// count names the files of a control group with a limit and with what counts against it.
type count struct {
	most, used string
	// spared is the line of memory.stat with what the kernel takes back when it must: the
	// cache of files that nobody used lately; "" for none.
	spared string
}

// grouped looks at the control group of this process and at those above it. Their numbers are
// divided by unit.
func grouped(controller string, unit, needs int, counts ...count) *lack {
	h, ok := limit.Find(controller)
	if !ok {
		return nil
	}
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for _, c := range counts {
		if l := c.above(string(h.Root), groupIn(string(b), controller, h.Version), unit, needs); l != nil {
			return l
		}
	}
	return nil
}

// above looks at a group below root, and at those above it.
func (c count) above(root, group string, unit, needs int) *lack {
	for {
		folder := filepath.Join(root, group)
		most, limited := number(filepath.Join(folder, c.most))
		used, known := number(filepath.Join(folder, c.used))
		if limited && known {
			if l := below(filepath.Join(folder, c.most), most/unit, (used-c.sparedIn(folder))/unit, needs); l != nil {
				return l
			}
		}
		if group == "/" {
			return nil
		}
		group = filepath.Dir(group)
	}
}

// sparedIn returns the bytes that the kernel takes back when it must; 0 if that is not known.
func (c count) sparedIn(folder string) int {
	b, err := os.ReadFile(filepath.Join(folder, "memory.stat"))
	if c.spared == "" || err != nil {
		return 0
	}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) == 2 && f[0] == c.spared {
			n, _ := strconv.Atoi(f[1]) // 0 for what is no number
			return n
		}
	}
	return 0
}

// groupIn returns the path of the group in the text of /proc/self/cgroup (cgroups(7)).
func groupIn(text, controller string, version int) string {
	for _, line := range strings.Split(text, "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, name := range strings.Split(f[1], ",") {
			if version == 2 && f[1] == "" || version == 1 && name == controller {
				return filepath.Clean("/" + f[2])
			}
		}
	}
	return "/"
}

// tasksOf counts the tasks of a user.
func tasksOf(uid int) (n int) {
	all, _ := filepath.Glob("/proc/[0-9]*/status") // the pattern is a good one
	for _, status := range all {
		owner, err := limit.Field(status, "Uid")
		if err != nil || len(strings.Fields(owner)) == 0 || strings.Fields(owner)[0] != strconv.Itoa(uid) {
			continue // another's, or it has ended
		}
		if threads, err := limit.Number(status, "Threads"); err == nil {
			n += threads
		}
	}
	return n
}
