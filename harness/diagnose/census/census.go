package census

import (
	"fmt"
	"io/fs"
)

// Census is the state of one program, and of the machine it runs on, at one
// moment. Its parts are embedded so that they are one flat object as JSON.
type Census struct {
	Thread
	User
	Groups
	Tasks
	Space
	Memory
	Seccomp
	// Policy is the scheduling policy of the thread, such as Deadline.
	Policy Amount `json:"policy"`
	Namespaces
	// Container is the container runtime that the program seems to run under:
	// "docker", "podman", "kubernetes", "lxc", "container", or "".
	Container string `json:"container,omitempty"`

	// Unknown says, by JSON name, why something could not be read.
	Unknown map[string]string `json:"unknown,omitempty"`
}

// Take reads the state of a thread of a process. Root is the machine's root
// directory. It fails only when there is no such thread; whatever else cannot
// be read is in Unknown.
func Take(root fs.FS, pid, tid int) (Census, error) {
	r := reader{root: root, pid: pid, tid: tid, unknown: map[string]string{}}
	status, err := r.status()
	if err != nil {
		return Census{}, fmt.Errorf("read the state of thread %d of process %d: %w", tid, pid, err)
	}
	c := Census{Unknown: r.unknown}
	c.Thread = r.thread(status)
	c.Namespaces = r.namespaces()
	c.User = r.user(status, c.InitialUsers)
	c.Policy = r.policy()
	c.Space = r.space(status)
	c.Seccomp = r.seccomp(status)
	c.Memory = r.memory()
	listed, own := r.listed(status.user)
	c.User.Tasks = own
	c.Tasks = r.tasks(listed)
	c.Groups = r.groups()
	c.Container = container(root, c.Pids)
	return c, nil
}
