package census

import (
	"io/fs"
	"strings"
)

// container looks at the names that runtimes give to control groups, which are the
// program's own. Then it looks for the files that runtimes leave in their containers:
// those are of this process's root directory, which may be that of another container.
func container(root fs.FS, groups []PidsGroup) string {
	for _, g := range groups {
		for _, mark := range []struct{ part, runtime string }{
			{"kubepods", "kubernetes"}, {"docker", "docker"}, {"libpod", "podman"}, {"lxc", "lxc"},
		} {
			if strings.Contains(g.Path, mark.part) {
				return mark.runtime
			}
		}
	}
	for _, mark := range []struct{ file, runtime string }{
		{"var/run/secrets/kubernetes.io", "kubernetes"},
		{"run/secrets/kubernetes.io", "kubernetes"},
		{".dockerenv", "docker"},
		{"run/.containerenv", "podman"},
		{"run/systemd/container", "container"},
	} {
		if _, err := fs.Stat(root, mark.file); err == nil {
			return mark.runtime
		}
	}
	return ""
}
