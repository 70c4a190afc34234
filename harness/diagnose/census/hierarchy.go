package census

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// hierarchy is a mounted tree of control groups.
type hierarchy struct {
	version int
	options string // of version 1, with its controllers
	top     string // the group that is mounted, as /proc/PID/cgroup names it
	at      string // the mount point
}

// hierarchies reads which trees are mounted, and where. A line is
//
//	39 31 0:36 /top /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
func hierarchies(root fs.FS) (all []hierarchy, err error) {
	err = lines(root, "proc/self/mountinfo", func(line string) bool {
		mount, kind, ok := strings.Cut(line, " - ")
		m, k := strings.Fields(mount), strings.Fields(kind)
		if !ok || len(m) < 6 || len(k) < 3 {
			return false
		}
		switch k[0] {
		case "cgroup2":
			all = append(all, hierarchy{version: 2, top: m[3], at: m[4]})
		case "cgroup":
			all = append(all, hierarchy{version: 1, options: k[2], top: m[3], at: m[4]})
		}
		return false
	})
	return all, err
}

// place finds the folders of the thread's groups under a controller, from its own
// group to the highest one that can be seen.
func (r reader) place(mounted []hierarchy, controller string) (dirs []string, version int, err error) {
	return place(r.root, r.inThread("cgroup"), mounted, controller)
}

// place does the same for the groups that a file names.
func place(root fs.FS, file string, mounted []hierarchy, controller string) (dirs []string, version int, err error) {
	own, version, err := ownGroup(root, file, controller)
	if err != nil {
		return nil, 0, err
	}
	for _, h := range mounted {
		if h.version != version || version == 1 && !has(h.options, controller) {
			continue
		}
		if rest, ok := below(h.top, own); ok {
			return upwards(h.at, rest), version, nil
		}
	}
	switch {
	case own == "" && version == 2:
		return nil, version, fmt.Errorf("%w of %s", errUncounted, controller)
	case len(mounted) == 0:
		return nil, version, fmt.Errorf("%w: %s", errNotMounted, clip(own))
	}
	return nil, version, fmt.Errorf("%w: %s", errElsewhere, clip(own))
}

// Reasons why the folders of a group are not found.
var (
	errUncounted  = errors.New("the kernel has no control groups")
	errNotMounted = errors.New("no control group is mounted here")
	errElsewhere  = errors.New("the control group is not mounted where this program sees it")
)

// ownGroup reads the name of a group from a file such as /proc/PID/cgroup. A
// controller that version 1 has is not in version 2.
func ownGroup(root fs.FS, file, controller string) (name string, version int, err error) {
	var one, two string
	err = lines(root, file, func(line string) bool {
		f := strings.SplitN(line, ":", 3)
		switch {
		case len(f) != 3:
		case f[1] == "" && f[0] == "0":
			two = f[2]
		case has(f[1], controller):
			one = f[2]
		}
		return false
	})
	if one != "" {
		return one, 1, err
	}
	return two, 2, err
}

// upwards lists the folders from a group to the mount point above it.
func upwards(at, group string) (dirs []string) {
	at = path.Clean(at)
	for dir := path.Join(at, group); ; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == at || dir == "/" || dir == "." {
			return dirs
		}
	}
}

// below returns the way from one group to another that is inside it.
func below(top, group string) (string, bool) {
	if strings.HasPrefix(group, "/..") {
		return "", false // outside of this cgroup namespace
	}
	if top == "/" || top == group {
		return strings.TrimPrefix(group, top), true
	}
	rest, ok := strings.CutPrefix(group, top+"/")
	return rest, ok
}

// has reports whether a list with commas has a name.
func has(list, name string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one == name {
			return true
		}
	}
	return false
}
