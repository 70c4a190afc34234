package census

import (
	"errors"
	"io/fs"
	"strings"
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
	// ElsewherePIDs reports that the program is in another PID namespace than this
	// process, whose numbers of tasks are others.
	ElsewherePIDs bool `json:"elsewherePidNamespace,omitempty"`
	// PIDDepth is how many PID namespaces the thread is in, one inside of the other;
	// 0 if it is not known.
	PIDDepth int `json:"pidNamespaceDepth,omitempty"`
	// Chroot is the program's root directory where it is not this process's own.
	Chroot string `json:"chroot,omitempty"`
	// UsersAllowed is kernel.unprivileged_userns_clone, which Debian and some others
	// have.
	UsersAllowed Amount `json:"unprivilegedUsernsClone"`
	// UsersRestricted is kernel.apparmor_restrict_unprivileged_userns, which Ubuntu has.
	UsersRestricted Amount `json:"apparmorRestrictUserns"`
	// Max are the limits user.max_*_namespaces, by the part of their name.
	Max map[string]Amount `json:"maxNamespaces,omitempty"`
}

// Names of the first namespaces of a machine (include/linux/proc_ns.h).
const (
	firstUsers = "user:[4026531837]"
	firstPIDs  = "pid:[4026531836]"
)

func (r reader) namespaces(s status) (n Namespaces) {
	users := r.namespace("ns/user")
	n.InitialUsers = users == firstUsers
	own := r.namespace("ns/pid")
	n.InitialPIDs = own == firstPIDs
	// A namespace whose first process is still to come has no name yet.
	if children, err := fs.ReadLink(r.root, r.inThread("ns/pid_for_children")); own != "" {
		n.ChildPIDs = err == nil && children != own || errors.Is(err, fs.ErrNotExist)
	}
	n.ElsewherePIDs = differs(own, r.root, "proc/self/ns/pid")
	n.PIDDepth = len(strings.Fields(s.lines["NSpid"]))
	// Kernels have namespaces of time since 5.6.
	own, _ = fs.ReadLink(r.root, r.inThread("ns/time"))
	if children, err := fs.ReadLink(r.root, r.inThread("ns/time_for_children")); own != "" && err == nil {
		n.ChildTime = children != own
	}
	if in, err := fs.ReadLink(r.root, r.inProcess("root")); err == nil && in != "/" {
		n.Chroot = in
	}
	n.UsersAllowed, _ = number(r.root, "proc/sys/kernel/unprivileged_userns_clone")
	n.UsersRestricted, _ = number(r.root, "proc/sys/kernel/apparmor_restrict_unprivileged_userns")
	n.Max = r.maxNamespaces(differs(users, r.root, "proc/self/ns/user"))
	return n
}

// differs reports whether a namespace is known to be another one than this
// process's own.
func differs(name string, root fs.FS, own string) bool {
	self, err := fs.ReadLink(root, own)
	return err == nil && name != "" && self != name
}

// maxNamespaces reads how many namespaces of each kind a user may have. These
// files show the limits of the user namespace of who reads them.
func (r reader) maxNamespaces(elsewhere bool) map[string]Amount {
	if elsewhere {
		r.note("maxNamespaces", errors.New("the program is in another user namespace"))
		return nil
	}
	all := map[string]Amount{}
	for _, kind := range []string{"user", "pid", "net", "ipc", "mnt", "uts", "cgroup", "time"} {
		if a, err := number(r.root, "proc/sys/user/max_"+kind+"_namespaces"); err == nil {
			all[kind] = a
		}
	}
	if len(all) == 0 {
		r.note("maxNamespaces", errors.New("/proc/sys/user is not there"))
	}
	return all
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
