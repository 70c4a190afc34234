package diagnose

import (
	"io/fs"
	"slices"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// baseline is what each control group had counted when the program first came into it.
// A launcher may move a process to other groups after its start.
type baseline struct {
	pids   []census.PidsGroup
	memory []census.MemoryGroup
	// met are the names of groups that were read already.
	met map[string]bool
}

// maxMet bounds how many groups are kept: a service manager is in all of them.
const maxMet = 4096

// meet reads the groups of a process that executes a program or makes a thread.
func (b *baseline) meet(root fs.FS, a watch.Attempt) {
	name := census.GroupNames(root, a.PID, a.TID)
	if name == "" || b.met[name] || len(b.met) > maxMet {
		return
	}
	if b.met == nil {
		b.met = map[string]bool{}
	}
	b.met[name] = true
	b.add(census.GroupsOf(root, a.PID, a.TID))
}

// add keeps what new groups have counted.
func (b *baseline) add(g census.Groups) {
	for _, group := range g.Pids {
		if !slices.ContainsFunc(b.pids, func(old census.PidsGroup) bool { return old.Path == group.Path }) {
			b.pids = append(b.pids, group)
		}
	}
	for _, group := range g.Memory {
		if !slices.ContainsFunc(b.memory, func(old census.MemoryGroup) bool { return old.Path == group.Path }) {
			b.memory = append(b.memory, group)
		}
	}
}

// killed finds the memory group that killed a process since it was read last: the group
// whose limit was reached, among the one that counted a kill and those above it. The
// groups are those of the process, from its own upwards.
func (b *baseline) killed(root fs.FS, groups []census.MemoryGroup) (census.MemoryGroup, bool) {
	victim := false
	var found *census.MemoryGroup
	for _, now := range groups {
		i := slices.IndexFunc(b.memory, func(old census.MemoryGroup) bool { return old.Path == now.Path })
		if i < 0 {
			continue
		}
		was := b.memory[i]
		fresh, there := now.Again(root)
		if !there {
			continue
		}
		b.memory[i] = fresh
		victim = victim || more(fresh.Killed, was.Killed)
		if found == nil && victim && fresh.Max.State == census.Exact && more(fresh.Hits, was.Hits) {
			found = &fresh
		}
	}
	if found == nil {
		return census.MemoryGroup{}, false
	}
	return *found, true
}

// newcomer finds a group that is not known from before, and whose limit has ended a
// process at some time.
func newcomer(groups []census.MemoryGroup, b baseline) (census.MemoryGroup, bool) {
	for _, g := range groups {
		known := slices.ContainsFunc(b.memory, func(old census.MemoryGroup) bool { return old.Path == g.Path })
		if !known && g.Max.State == census.Exact && g.Killed.AtLeast(census.Known(1)) {
			return g, true
		}
	}
	return census.MemoryGroup{}, false
}

// more reports whether a counter is known to have grown.
func more(now, was census.Amount) bool {
	return was.State == census.Exact && now.AtLeast(census.Known(was.N+1))
}
