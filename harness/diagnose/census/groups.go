package census

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// Groups are the control groups of the thread, from its own upwards.
type Groups struct {
	Pids   []PidsGroup   `json:"pids,omitempty"`
	Memory []MemoryGroup `json:"memory,omitempty"`
	// Hidden reports that there are groups above the last of Pids, which a
	// container hides.
	Hidden bool `json:"groupsHidden,omitempty"`
	// Unseen says why the groups that count tasks cannot be read; "" if they can.
	Unseen Unseen `json:"groupsUnseen,omitempty"`
	// UnseenVersion is the version of the hierarchy that they are in, 0 if it is not known.
	UnseenVersion int `json:"groupsUnseenVersion,omitempty"`
	// Frozen is the folder of a group that stands still, "" if none does.
	Frozen string `json:"frozenGroup,omitempty"`
}

// Unseen says why control groups cannot be read.
type Unseen string

// Reasons why control groups cannot be read.
const (
	// NotMounted: no file system of control groups is mounted here.
	NotMounted Unseen = "not mounted"
	// OtherNamespace: the mounts are of another cgroup namespace than the program's
	// group, or show another part of the tree.
	OtherNamespace Unseen = "another cgroup namespace"
	// Unreadable: the files are there, and reading fails.
	Unreadable Unseen = "unreadable"
)

// PidsGroup is a control group that may limit how many tasks are in it and
// below it.
type PidsGroup struct {
	Path string `json:"path"` // its folder, absolute
	// Version is that of the hierarchy, 1 or 2.
	Version int    `json:"version"`
	Max     Amount `json:"max"`
	Current Amount `json:"current"`
	// Refused counts the tasks that a limit refused. Until about Linux 6.12 it is
	// counted in the group that the task was in, later in the one with the limit.
	Refused Amount `json:"refused"`
}

// MemoryGroup is a control group that may limit memory, in bytes.
type MemoryGroup struct {
	Path    string `json:"path"`
	Version int    `json:"version"`
	Max     Amount `json:"max"`
	Current Amount `json:"current"`
	// Hits counts how often the limit was reached, Killed how many processes were
	// killed for it.
	Hits   Amount `json:"hits"`
	Killed Amount `json:"killed"`
}

// MaxFile returns the file that holds the limit.
func (g PidsGroup) MaxFile() string { return path.Join(g.Path, "pids.max") }

// MaxFile returns the file that holds the limit.
func (g MemoryGroup) MaxFile() string { return path.Join(g.Path, memoryFiles(g.Version).max) }

// Again reads the group once more, after its program has ended. It reports
// whether the group is still there.
func (g MemoryGroup) Again(root fs.FS) (MemoryGroup, bool) {
	now, there, _ := memoryGroup(root, g.Path, g.Version)
	if !there {
		return g, false
	}
	return now, true
}

// GroupsOf reads the control groups of a thread, and nothing else of it.
func GroupsOf(root fs.FS, pid, tid int) Groups {
	return reader{root: root, pid: pid, tid: tid, unknown: map[string]string{}}.groups()
}

// GroupNames returns what /proc says of the groups of a thread, "" if it cannot be
// read. It changes when the thread is moved.
func GroupNames(root fs.FS, pid, tid int) string {
	text, _ := fs.ReadFile(root, reader{pid: pid, tid: tid}.inThread("cgroup"))
	return string(text)
}

func (r reader) groups() (g Groups) {
	mounted, err := hierarchies(r.root)
	if err != nil {
		r.note("pids", err)
		r.note("memory", err)
		g.Unseen = Unreadable
		return g
	}
	g.Frozen = r.frozen(mounted)
	dirs, version, err := r.place(mounted, "pids")
	r.note("pids", err)
	if g.Unseen = unseen(err); g.Unseen != "" {
		g.UnseenVersion = version
	}
	for _, dir := range dirs {
		group, there, err := pidsGroup(r.root, dir, version)
		r.note(dir, err)
		if there {
			g.Pids = append(g.Pids, group)
		}
		// The machine's highest group has no such file. Where the highest that can be
		// seen has one, others are above it.
		g.Hidden = group.Max.State != Unread
	}
	dirs, version, err = r.place(mounted, "memory")
	r.note("memory", err)
	for _, dir := range dirs {
		group, there, err := memoryGroup(r.root, dir, version)
		r.note(dir, err)
		if there {
			g.Memory = append(g.Memory, group)
		}
	}
	return g
}

// MemoryGroupNamed reads the memory group that the kernel's log names. What cannot be
// read of it stays unread.
func MemoryGroupNamed(root fs.FS, name string) MemoryGroup {
	mounted, _ := hierarchies(root)
	for _, h := range mounted {
		if h.version == 1 && !has(h.options, "memory") {
			continue
		}
		if rest, ok := below(h.top, name); ok {
			if g, there, _ := memoryGroup(root, path.Join(h.at, rest), h.version); there {
				return g
			}
		}
	}
	return MemoryGroup{Path: name, Version: 2}
}

// unseen returns why groups could not be found.
func unseen(err error) Unseen {
	switch {
	case err == nil || errors.Is(err, errUncounted) || errors.Is(err, fs.ErrNotExist):
		return "" // the kernel has no control groups
	case errors.Is(err, errNotMounted):
		return NotMounted
	case errors.Is(err, errElsewhere):
		return OtherNamespace
	}
	return Unreadable
}

// frozen finds the group whose tasks were told to stand still: by cgroup.freeze, or
// by the controller freezer of version 1.
func (r reader) frozen(mounted []hierarchy) string {
	for _, kind := range []struct{ controller, file string }{{"freezer", "freezer.self_freezing"}, {"", "cgroup.freeze"}} {
		dirs, _, err := r.place(mounted, kind.controller)
		if err != nil {
			continue
		}
		for _, dir := range dirs {
			if a, err := number(r.root, inside(dir, kind.file)); err == nil && a == Known(1) {
				return dir
			}
		}
	}
	return ""
}

// pidsGroup reads a group. It reports whether the group has a limit at all.
func pidsGroup(root fs.FS, dir string, version int) (g PidsGroup, there bool, err error) {
	g = PidsGroup{Path: dir, Version: version}
	var max, current, refused error
	g.Max, max = number(root, inside(dir, "pids.max"))
	if errors.Is(max, fs.ErrNotExist) {
		return g, false, nil
	}
	g.Current, current = number(root, inside(dir, "pids.current"))
	g.Refused, refused = keyed(root, inside(dir, "pids.events"), "max") // since 4.9
	return g, true, errors.Join(max, current, refused)
}

// files are the names of a memory group's files, and of the lines in its events.
// Without hits there is a file of its own, memory.failcnt.
type files struct{ max, current, events, hits, killed string }

func memoryFiles(version int) files {
	if version == 1 {
		return files{"memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control", "", "oom_kill"}
	}
	return files{"memory.max", "memory.current", "memory.events", "max", "oom_kill"}
}

// noLimit is more memory than any machine has. Version 1 has no word for no limit
// and shows PAGE_COUNTER_MAX in whole pages, which is larger.
const noLimit = 1 << 62

// memoryGroup reads a group. It reports whether the group's limit could be read.
func memoryGroup(root fs.FS, dir string, version int) (g MemoryGroup, there bool, err error) {
	names := memoryFiles(version)
	g = MemoryGroup{Path: dir, Version: version}
	if g.Max, err = number(root, inside(dir, names.max)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return g, false, err
	}
	if g.Max.State == Exact && g.Max.N >= noLimit {
		g.Max = Amount{State: Unlimited}
	}
	var current, hits, killed error
	g.Current, current = number(root, inside(dir, names.current))
	if names.hits == "" {
		g.Hits, hits = number(root, inside(dir, "memory.failcnt"))
	} else {
		g.Hits, hits = keyed(root, inside(dir, names.events), names.hits)
	}
	g.Killed, killed = keyed(root, inside(dir, names.events), names.killed)
	return g, true, errors.Join(current, hits, killed)
}

// inside returns the name of a file as fs.FS has it.
func inside(dir, file string) string { return strings.TrimPrefix(path.Join(dir, file), "/") }
