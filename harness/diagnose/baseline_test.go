package diagnose

import (
	"testing"
	"testing/fstest"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// TestTheGroupWhoseLimitWasReachedIsBlamed fails if a kill is blamed on the group that the
// program was in, when the limit of one above was reached, or on a group that killed
// before.
func TestTheGroupWhoseLimitWasReachedIsBlamed(t *testing.T) {
	type counts struct{ max, hits, killed string }
	files := func(root fstest.MapFS, version int, dir string, c counts) {
		put := func(name, text string) { root[dir+"/"+name] = &fstest.MapFile{Data: []byte(text + "\n")} }
		if version == 2 {
			put("memory.max", c.max)
			put("memory.current", "9")
			put("memory.events", "low 0\nmax "+c.hits+"\noom 0\noom_kill "+c.killed)
			return
		}
		put("memory.limit_in_bytes", c.max)
		put("memory.usage_in_bytes", "9")
		put("memory.failcnt", c.hits)
		put("memory.oom_control", "oom_kill "+c.killed)
	}
	const none = "9223372036854771712" // of version 1
	for _, c := range []struct {
		name                                     string
		version                                  int
		ownBefore, ownNow, aboveBefore, aboveNow counts
		want                                     string
	}{
		{"its own limit", 2, counts{"100", "0", "0"}, counts{"100", "5", "1"}, counts{"900", "0", "0"}, counts{"900", "5", "1"}, "/cg/a/b"},
		{"the limit above, version 2", 2, counts{"max", "0", "0"}, counts{"max", "0", "1"}, counts{"100", "0", "0"}, counts{"100", "5", "1"}, "/cg/a"},
		{"the limit above, version 1", 1, counts{none, "0", "0"}, counts{none, "0", "1"}, counts{"100", "0", "0"}, counts{"100", "5", "0"}, "/cg/a"},
		{"the limit above, beside one of its own", 2, counts{"900", "0", "0"}, counts{"900", "0", "1"}, counts{"100", "0", "0"}, counts{"100", "5", "1"}, "/cg/a"},
		{"a kill before", 2, counts{"100", "5", "1"}, counts{"100", "5", "1"}, counts{"900", "0", "1"}, counts{"900", "0", "1"}, ""},
		{"a limit that was reached, and nobody killed", 2, counts{"100", "5", "0"}, counts{"100", "9", "0"}, counts{"900", "0", "0"}, counts{"900", "0", "0"}, ""},
	} {
		root := fstest.MapFS{"proc/70/task/70/cgroup": {Data: []byte("0::/a/b\n")}, "proc/self/mountinfo": {Data: []byte("1 1 0:1 / /cg rw - cgroup2 x rw\n")}}
		if c.version == 1 {
			root["proc/70/task/70/cgroup"] = &fstest.MapFile{Data: []byte("4:memory:/a/b\n")}
			root["proc/self/mountinfo"] = &fstest.MapFile{Data: []byte("1 1 0:1 / /cg rw - cgroup cgroup rw,memory\n")}
		}
		files(root, c.version, "cg/a/b", c.ownBefore)
		files(root, c.version, "cg/a", c.aboveBefore)
		var b baseline
		b.add(census.GroupsOf(root, 70, 70))
		files(root, c.version, "cg/a/b", c.ownNow)
		files(root, c.version, "cg/a", c.aboveNow)
		groups := census.GroupsOf(root, 70, 70).Memory
		if g, found := b.killed(root, groups); g.Path != c.want || found != (c.want != "") {
			t.Errorf("%s: %q, want %q", c.name, g.Path, c.want)
		}
		if g, found := b.killed(root, groups); found {
			t.Errorf("%s: %q is blamed twice", c.name, g.Path)
		}
	}
}
