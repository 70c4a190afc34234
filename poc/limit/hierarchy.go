package limit

import (
	"os"
	"path/filepath"
	"strings"
)

// Hierarchy is a mounted tree of control groups. The zero Hierarchy is none.
type Hierarchy struct {
	Root    Group
	Version int // 1 or 2
}

// Find returns the mounted hierarchy that has a controller. A kernel gives a controller
// to one hierarchy at a time.
func Find(controller string) (Hierarchy, bool) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return Hierarchy{}, false
	}
	return find(string(mounts), controller, func(root string) string {
		b, _ := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
		return string(b)
	})
}

// find reads the lines of /proc/self/mounts. offered returns the text of
// cgroup.controllers of a hierarchy of version 2.
func find(mounts, controller string, offered func(root string) string) (Hierarchy, bool) {
	for _, line := range strings.Split(mounts, "\n") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		root, options := f[1], f[3]
		switch {
		case f[2] == "cgroup2" && has(strings.Fields(offered(root)), controller):
			return Hierarchy{Group(root), 2}, true
		case f[2] == "cgroup" && has(strings.Split(options, ","), controller):
			return Hierarchy{Group(root), 1}, true
		}
	}
	return Hierarchy{}, false
}

func has(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}
