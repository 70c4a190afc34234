package census

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// PidsGroup is a control group that may limit how many tasks are in it and
// below it.
type PidsGroup struct {
	Path string `json:"path"` // its folder, absolute
	// Version is that of the hierarchy, 1 or 2.
	Version int    `json:"version"`
	Max     Amount `json:"max"`
	Current Amount `json:"current"`
	// Refused counts the tasks that a limit refused. Before 6.12 or so the group
	// counts in which the task was, later the one that has the limit.
	Refused Amount `json:"refused"`
}

// MemoryGroup is a control group that may limit memory, in bytes.
type MemoryGroup struct {
	Path    string `json:"path"`
	Version int    `json:"version"`
	Max     Amount `json:"max"`
	Current Amount `json:"current"`
	// Hits counts how often the limit was reached, Killed who was killed for it.
	Hits   Amount `json:"hits"`
	Killed Amount `json:"killed"`
}

// MaxFile is the file that holds the limit.
func (g PidsGroup) MaxFile() string { return path.Join(g.Path, "pids.max") }

// MaxFile is the file that holds the limit.
func (g MemoryGroup) MaxFile() string { return path.Join(g.Path, memoryFiles(g.Version).max) }

// hierarchy is a mounted tree of control groups.
type hierarchy struct {
	version int
	options string // of version 1, with its controllers
	top     string // the group that is mounted, as /proc/PID/cgroup has it
	at      string // where
}

// groups finds the control groups of the program.
func (t *taker) groups() {
	mounted, err := hierarchies(t.root)
	if err != nil {
		t.unknown("pids", err)
		t.unknown("memory", err)
		return
	}
	for _, controller := range []string{"pids", "memory"} {
		dirs, version, err := t.place(mounted, controller)
		if err != nil {
			t.unknown(controller, err)
		}
		for _, dir := range dirs {
			if controller == "pids" {
				t.pids(dir, version)
			} else {
				t.memoryGroup(dir, version)
			}
		}
	}
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

// place is the folders of the program's groups under a controller, from its own
// to the highest one that can be seen.
func (t *taker) place(mounted []hierarchy, controller string) (dirs []string, version int, err error) {
	var one, two string
	err = lines(t.root, t.thread("cgroup"), func(line string) bool {
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
	if err != nil {
		return nil, 0, err
	}
	own := two
	version = 2
	if one != "" {
		own, version = one, 1
	}
	for _, h := range mounted {
		if h.version != version || version == 1 && !has(h.options, controller) {
			continue
		}
		rest, ok := below(h.top, own)
		if !ok {
			continue
		}
		for dir := path.Join(h.at, rest); ; dir = path.Dir(dir) {
			dirs = append(dirs, dir)
			if dir == h.at || dir == "/" {
				return dirs, version, nil
			}
		}
	}
	if own == "" {
		return nil, version, fmt.Errorf("the kernel counts no %s by control group", controller)
	}
	return nil, version, fmt.Errorf("the control group %s is not mounted where this program sees it", clip(own))
}

// below is what leads from one group to another that is inside it.
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

func has(list, name string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one == name {
			return true
		}
	}
	return false
}

// pids reads a group. The highest of a machine has no limit and no file for it;
// one that has a file and is the highest to be seen has others above it.
func (t *taker) pids(dir string, version int) {
	g := PidsGroup{Path: dir, Version: version}
	var max, current, refused error
	g.Max, max = number(t.root, inside(dir, "pids.max"))
	t.c.Above = max == nil
	if errors.Is(max, fs.ErrNotExist) {
		return
	}
	g.Current, current = number(t.root, inside(dir, "pids.current"))
	g.Refused, refused = keyed(t.root, inside(dir, "pids.events"), "max") // since 4.9
	if err := errors.Join(max, current, refused); err != nil {
		t.unknown(dir, err)
	}
	t.c.Pids = append(t.c.Pids, g)
}

// files are the names that a version gives the same things.
type files struct{ max, current, events, hits, killed string }

func memoryFiles(version int) files {
	if version == 1 {
		return files{"memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control", "", "oom_kill"}
	}
	return files{"memory.max", "memory.current", "memory.events", "max", "oom_kill"}
}

// noLimit is what version 1 says for none, and more than any machine has:
// PAGE_COUNTER_MAX, in whole pages.
const noLimit = 1 << 62

func (t *taker) memoryGroup(dir string, version int) {
	names := memoryFiles(version)
	g := MemoryGroup{Path: dir, Version: version}
	var err error
	if g.Max, err = number(t.root, inside(dir, names.max)); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.unknown(dir, err)
		}
		return
	}
	if g.Max.State == Exact && g.Max.N >= noLimit {
		g.Max = Amount{State: Unlimited}
	}
	var current, hits, killed error
	g.Current, current = number(t.root, inside(dir, names.current))
	if names.hits == "" {
		g.Hits, hits = number(t.root, inside(dir, "memory.failcnt"))
	} else {
		g.Hits, hits = keyed(t.root, inside(dir, names.events), names.hits)
	}
	g.Killed, killed = keyed(t.root, inside(dir, names.events), names.killed)
	if err := errors.Join(current, hits, killed); err != nil {
		t.unknown(dir, err)
	}
	t.c.Memory = append(t.c.Memory, g)
}

// Again reads the group once more, after its program has ended.
func (g MemoryGroup) Again(root fs.FS) (MemoryGroup, bool) {
	t := taker{root: root, c: Census{Unknown: map[string]string{}}}
	t.memoryGroup(g.Path, g.Version)
	if len(t.c.Memory) == 0 {
		return g, false
	}
	return t.c.Memory[0], true
}

// inside is the name of a file as fs.FS has it.
func inside(dir, file string) string { return strings.TrimPrefix(path.Join(dir, file), "/") }
