package limit

import (
	"strings"
	"testing"
)

// mounted is /proc/self/mounts of a system of version 1, of a hybrid one, and of one of
// version 2.
var mounted = map[string]string{
	"version 1": "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n" +
		"cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,pids 0 0\n",
	"hybrid": "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nsdelegate 0 0\n" +
		"cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n" +
		"cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,pids 0 0\n",
	"version 2": "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
	"named":     "cgroup /sys/fs/cgroup/x cgroup rw,name=pids,cpuset 0 0\npids /pids tmpfs rw,pids 0 0\n",
}

// TestTheControllerIsFoundWhereItIs fails if a system with version 1 is said to have no
// pids controller, or if another hierarchy is taken for it.
func TestTheControllerIsFoundWhereItIs(t *testing.T) {
	for name, want := range map[string]Hierarchy{
		"version 1": {"/sys/fs/cgroup/pids", 1},
		"hybrid":    {"/sys/fs/cgroup/pids", 1},
		"version 2": {"/sys/fs/cgroup", 2},
		"named":     {},
	} {
		got, ok := find(mounted[name], "pids", func(root string) string {
			if root == "/sys/fs/cgroup" {
				return "cpu memory pids\n"
			}
			return "\n"
		})
		if got != want || ok != (want.Version != 0) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

func FuzzMounts(f *testing.F) {
	for _, text := range mounted {
		f.Add(text, "pids")
	}
	f.Fuzz(func(t *testing.T, text, controllers string) {
		h, ok := find(text, "pids", func(string) string { return controllers })
		if ok && (h.Version != 1 && h.Version != 2 || !strings.Contains(text, string(h.Root))) {
			t.Errorf("%q: %+v", text, h)
		}
	})
}
