package census

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Dead are processes that have ended and that their parent has not waited for. Each
// counts as a task until then.
type Dead struct {
	Parent int    `json:"parent"`
	Name   string `json:"name"` // of the parent
	User   uint32 `json:"user"`
	// Group is their folder under the controller pids, "" where it cannot be seen.
	Group string `json:"group,omitempty"`
	Count uint64 `json:"count"`
}

// Below reports whether they count in a control group.
func (d Dead) Below(group string) bool {
	return d.Group == group || strings.HasPrefix(d.Group, strings.TrimSuffix(group, "/")+"/")
}

// maxDead bounds how many kinds of dead processes are kept.
const maxDead = 16

// dead collects processes that have ended, by parent, user and group.
type dead struct {
	root    fs.FS
	mounted []hierarchy
	all     []Dead
}

// add notes one process. One that is traced waits for its tracer, not for its
// parent.
func (d *dead) add(p process) {
	if p.state != "Z" || p.threads > 1 || p.tracer != 0 {
		return
	}
	one := Dead{Parent: p.parent, User: p.user, Group: d.groupOf(p)}
	for i, known := range d.all {
		if known.Parent == one.Parent && known.User == one.User && known.Group == one.Group {
			d.all[i].Count++
			return
		}
	}
	one.Count = 1
	d.all = append(d.all, one)
}

// groupOf returns the group that a dead process counts in. Version 1 shows the highest
// group for it, whatever it counts in: its parent's is the likely one.
func (d *dead) groupOf(p process) string {
	of := func(pid int) (dirs []string, version int) {
		dirs, version, _ = place(d.root, fmt.Sprintf("proc/%d/cgroup", pid), d.mounted, "pids")
		return dirs, version
	}
	dirs, version := of(p.pid)
	if version == 1 && len(dirs) == 1 {
		dirs, _ = of(p.parent)
	}
	if len(dirs) == 0 {
		return ""
	}
	return dirs[0]
}

// most returns the largest kinds, with the names of the parents.
func (d *dead) most() []Dead {
	slices.SortStableFunc(d.all, func(a, b Dead) int { return cmp.Compare(b.Count, a.Count) })
	all := d.all[:min(len(d.all), maxDead)]
	for i, one := range all {
		parent, err := processOf(d.root, one.Parent)
		if err == nil {
			all[i].Name = parent.name
		}
	}
	return all
}
