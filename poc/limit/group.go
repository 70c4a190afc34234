package limit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/probe"
)

// Version2 is the folder where the agent mounts cgroup version 2.
const Version2 = "/sys/fs/cgroup"

// Group is the folder of a control group.
type Group string

// Below makes a group inside this one, unless it exists already.
func (g Group) Below(name string) Group {
	path := filepath.Join(string(g), name)
	if err := os.Mkdir(path, 0o755); !os.IsExist(err) {
		Must(err)
	}
	return Group(path)
}

// Remove removes the group, which must be empty.
func (g Group) Remove() { Must(syscall.Rmdir(string(g))) }

// Write writes to a file of the group and returns the error.
func (g Group) Write(file, value string) syscall.Errno {
	f, err := os.OpenFile(filepath.Join(string(g), file), os.O_WRONLY, 0)
	if err != nil {
		return ErrnoOf(err)
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return ErrnoOf(err)
}

// Put writes to a file of the group and panics if that fails.
func (g Group) Put(file, value string) {
	if errno := g.Write(file, value); errno != 0 {
		panic(fmt.Sprintf("write %s to %s of %s: %v", value, file, g, errno))
	}
}

// Read returns the trimmed text of a file of the group.
func (g Group) Read(file string) string {
	b, err := os.ReadFile(filepath.Join(string(g), file))
	Must(err)
	return strings.TrimSpace(string(b))
}

// Number returns the number in a file of the group.
func (g Group) Number(file string) int {
	n, err := strconv.Atoi(g.Read(file))
	Must(err)
	return n
}

// Count records a counter of an events file. A file that does not exist gives no
// value.
func (g Group) Count(o *probe.Obs, key, file, counter string) {
	b, err := os.ReadFile(filepath.Join(string(g), file))
	switch {
	case os.IsNotExist(err):
		return
	case err != nil:
		o.Unknown(key, err.Error())
		return
	}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) == 2 && f[0] == counter {
			o.Set(key, f[1])
			return
		}
	}
	o.Unknown(key, file+" has no line "+counter)
}

// Enter moves this process, with all its threads, into the group.
func (g Group) Enter() syscall.Errno { return g.Write("cgroup.procs", "0") }

// MustEnter calls Enter and panics if that fails.
func (g Group) MustEnter() {
	if errno := g.Enter(); errno != 0 {
		panic(fmt.Sprintf("enter %s: %v", g, errno))
	}
}

// Offer lets the groups below use a controller, as version 1 always does. withdraw
// takes it back, unless it was offered before: groups of others would lose their
// limits.
func (g Group) Offer(controller string) (withdraw func()) {
	const file = "cgroup.subtree_control"
	if _, err := os.Stat(filepath.Join(string(g), file)); err != nil {
		return func() {}
	}
	for _, offered := range strings.Fields(g.Read(file)) {
		if offered == controller {
			return func() {}
		}
	}
	g.Put(file, "+"+controller)
	return func() { g.Put(file, "-"+controller) }
}

// Clear kills what runs in the group and removes the group, whatever its programs
// did. Nothing of it may stay in a system that others use. The host compares, and
// reports what is left.
func (g Group) Clear() {
	err := error(syscall.EBUSY)
	for try := 0; try < 100 && err == syscall.EBUSY; try++ {
		if b, err := os.ReadFile(filepath.Join(string(g), "cgroup.procs")); err == nil {
			for _, text := range strings.Fields(string(b)) {
				if pid, err := strconv.Atoi(text); err == nil && pid > 1 {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		if err = syscall.Rmdir(string(g)); err == syscall.EBUSY {
			time.Sleep(20 * time.Millisecond) // killed processes end after a while
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "remove the control group %s: %v\n", g, err)
	}
}
