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
}

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

func (r reader) groups() (g Groups) {
	mounted, err := hierarchies(r.root)
	if err != nil {
		r.note("pids", err)
		r.note("memory", err)
		return g
	}
	dirs, version, err := r.place(mounted, "pids")
	r.note("pids", err)
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
