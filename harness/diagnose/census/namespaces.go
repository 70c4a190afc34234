package census

import (
	"errors"
	"io/fs"
)

// Namespaces are those of the thread. A false value also stands for a namespace
// that could not be read; Unknown says so.
type Namespaces struct {
	// ChildPIDs reports that children of the thread go to another PID namespace
	// than its own. ChildTime reports the same of time namespaces.
	ChildPIDs bool `json:"childPidNamespace,omitempty"`
	ChildTime bool `json:"childTimeNamespace,omitempty"`
	// InitialPIDs and InitialUsers report that the program is in the machine's
	// first namespace, so that nothing is hidden outside of it.
	InitialPIDs  bool `json:"initialPidNamespace"`
	InitialUsers bool `json:"initialUserNamespace"`
}

// Names of the first namespaces of a machine (include/linux/proc_ns.h).
const (
	firstUsers = "user:[4026531837]"
	firstPIDs  = "pid:[4026531836]"
)

func (r reader) namespaces() (n Namespaces) {
	n.InitialUsers = r.namespace("ns/user") == firstUsers
	own := r.namespace("ns/pid")
	n.InitialPIDs = own == firstPIDs
	// A namespace whose first process is still to come has no name yet.
	if children, err := fs.ReadLink(r.root, r.inThread("ns/pid_for_children")); own != "" {
		n.ChildPIDs = err == nil && children != own || errors.Is(err, fs.ErrNotExist)
	}
	// Kernels have namespaces of time since 5.6.
	own, _ = fs.ReadLink(r.root, r.inThread("ns/time"))
	if children, err := fs.ReadLink(r.root, r.inThread("ns/time_for_children")); own != "" && err == nil {
		n.ChildTime = children != own
	}
	return n
}

// namespace returns the name of a namespace that every kernel has, "" when it
// cannot be read.
func (r reader) namespace(link string) string {
	name, err := fs.ReadLink(r.root, r.inThread(link))
	if err != nil {
		r.note(link, err)
		return ""
	}
	return name
}
