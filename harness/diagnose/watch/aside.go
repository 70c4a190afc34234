package watch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// standAside keeps this process out of what limits or ends the program, as far as it may:
// root may, outside of containers that hide their groups. What fails leaves it where it
// is, where its tasks count.
func standAside() {
	// The kernel then ends any other process for want of memory before this one.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for _, top := range groupTops(string(mounts)) {
		_ = os.WriteFile(filepath.Join(top, "cgroup.procs"), []byte("0"), 0)
	}
}

// groupTops returns where the control groups that count tasks or memory, or freeze, are
// mounted. A line of mountinfo is
//
//	39 31 0:36 /top /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
func groupTops(mountinfo string) (tops []string) {
	for line := range strings.Lines(mountinfo) {
		mount, kind, _ := strings.Cut(line, " - ")
		m, k := strings.Fields(mount), strings.Fields(kind)
		if len(m) < 5 || len(k) < 3 {
			continue
		}
		limits := slices.ContainsFunc(strings.Split(k[2], ","), func(controller string) bool {
			return controller == "pids" || controller == "memory" || controller == "freezer"
		})
		if k[0] == "cgroup2" || k[0] == "cgroup" && limits {
			tops = append(tops, m[4])
		}
	}
	return tops
}
