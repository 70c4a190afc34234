package census

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// damages are ways in which one file is not as the census expects it.
var damages = map[string]func(tree fstest.MapFS, name string){
	"missing":   func(tree fstest.MapFS, name string) { delete(tree, name) },
	"empty":     func(tree fstest.MapFS, name string) { put(tree, name, "") },
	"no number": func(tree fstest.MapFS, name string) { put(tree, name, "no number\n") },
}

// contained is the tree of a container with version 1, whose children go to other
// namespaces.
func contained() fstest.MapFS {
	tree := recorded()
	put(tree, "proc/70/task/71/cgroup", "8:pids:/docker/f00\n4:memory:/docker/f00\n")
	put(tree, "proc/self/mountinfo", "1 1 0:1 /docker/f00 /cg/pids rw - cgroup cgroup rw,pids\n1 1 0:1 /docker/f00 /cg/memory rw - cgroup cgroup rw,memory\n")
	put(tree, ".dockerenv", "")
	put(tree, "cg/pids/pids.max", "max\n")
	put(tree, "cg/memory/memory.limit_in_bytes", "9223372036854771712\n")
	put(tree, "cg/memory/memory.usage_in_bytes", "10\n")
	put(tree, "cg/memory/memory.failcnt", "3\n")
	put(tree, "cg/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
	link(tree, "ns/pid_for_children", "pid:[4026532001]")
	link(tree, "ns/time_for_children", "time:[2]")
	return tree
}

// show writes the census of a tree as JSON, or why there is none.
func show(t *testing.T, b *bytes.Buffer, name string, tree fstest.MapFS) {
	t.Helper()
	fmt.Fprintf(b, "== %s\n", name)
	c, err := Take(tree, 70, 71)
	if err != nil {
		fmt.Fprintln(b, err)
		return
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(append(text, '\n'))
}

// TestTheJSONOfACensusStays fails if a key, a value or their order changes: for a
// service, for a container, and where one file is damaged.
func TestTheJSONOfACensusStays(t *testing.T) {
	var b bytes.Buffer
	show(t, &b, "a service", recorded())
	show(t, &b, "a container", contained())
	for _, name := range slices.Sorted(maps.Keys(recorded())) {
		for _, how := range slices.Sorted(maps.Keys(damages)) {
			tree := recorded()
			if how != "missing" && tree[name].Mode != 0 {
				continue
			}
			damages[how](tree, name)
			show(t, &b, name+" "+how, tree)
		}
	}
	path := filepath.Join("testdata", "census.golden")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, lines := bytes.Split(b.Bytes(), []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(got), len(lines)) {
		if i >= len(got) || i >= len(lines) || !bytes.Equal(got[i], lines[i]) {
			t.Fatalf("%s:%d differs: got %q", path, i+1, got[min(i, len(got)-1)])
		}
	}
}
