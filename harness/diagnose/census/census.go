package census

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Census is the state of one program, and of the machine it runs on, at one
// moment. Its parts are embedded so that they are one flat object as JSON.
type Census struct {
	Thread
	User
	Groups
	Tasks
	Space
	Descriptors
	Memory
	Seccomp
	// Policy is the scheduling policy of the thread, such as Deadline.
	Policy Amount `json:"policy"`
	Namespaces
	// Container is the container runtime that the program seems to run under:
	// "docker", "podman", "kubernetes", "lxc", "container", or "".
	Container string `json:"container,omitempty"`
	// Kernel is the release, such as 6.1.0-50-amd64.
	Kernel string `json:"kernel,omitempty"`
	// Modules are the security modules of the kernel. It is empty where securityfs is
	// not mounted.
	Modules []string `json:"securityModules,omitempty"`
	// Observer is the process that takes the census.
	Observer Observer `json:"observer"`

	// Unknown says, by JSON name, why something could not be read.
	Unknown map[string]string `json:"unknown,omitempty"`
}

// ErrNoProc is wrapped by the error of Take where no /proc is mounted.
var ErrNoProc = errors.New("/proc shows no process; it is not mounted here")

// Take reads the state of a thread of a process. Root is the machine's root
// directory. It fails when there is no such thread, or no /proc; whatever else
// cannot be read is in Unknown.
func Take(root fs.FS, pid, tid int) (Census, error) {
	r := reader{root: root, pid: pid, tid: tid, unknown: map[string]string{}}
	status, err := r.status()
	if err != nil && !mounted(root) {
		return Census{}, ErrNoProc
	}
	if err != nil {
		return Census{}, fmt.Errorf("read the state of thread %d of process %d: %w", tid, pid, err)
	}
	c := Census{Unknown: r.unknown}
	c.Thread = r.thread(status)
	c.Observer = r.observer()
	c.Namespaces = r.namespaces(status)
	c.User = r.user(status, c.InitialUsers)
	c.Policy = r.policy()
	c.Space = r.space(status)
	c.Descriptors = r.descriptors()
	c.Seccomp = r.seccomp(status)
	c.Memory = r.memory()
	c.Groups = r.groups()
	r.count(&c, status.user)
	c.Container = container(root, c.Pids)
	c.Kernel, err = first(root, "proc/sys/kernel/osrelease")
	r.note("kernel", err)
	c.Modules = r.modules()
	return c, nil
}

// AddOwn counts tasks of the observer that were there when the program was refused something,
// and ended before the census. The program must be the observer itself.
func (c *Census) AddOwn(tasks uint64) {
	counts := []*Amount{&c.Observer.Tasks, &c.User.Tasks, &c.Tasks.Count, &c.Tasks.IDs}
	for i := range c.Pids {
		counts = append(counts, &c.Pids[i].Current)
	}
	for _, a := range counts {
		if a.State == Exact {
			a.N += tasks
		}
	}
}

// mounted reports whether /proc shows any process.
func mounted(root fs.FS) bool {
	entries, _ := fs.ReadDir(root, "proc")
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isNumber(e.Name()) })
}

// modules reads the list of security modules.
func (r reader) modules() []string {
	line, err := first(r.root, "sys/kernel/security/lsm")
	r.note("securityModules", err)
	return strings.FieldsFunc(line, func(c rune) bool { return c == ',' })
}
