package census

import (
	"io/fs"
	"strings"
)

// container looks for the files that runtimes leave in their containers, then
// for the names that they give to control groups.
func container(root fs.FS, groups []PidsGroup) string {
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
	for _, g := range groups {
		for _, mark := range []struct{ part, runtime string }{
			{"kubepods", "kubernetes"}, {"docker", "docker"}, {"libpod", "podman"}, {"lxc", "lxc"},
		} {
			if strings.Contains(g.Path, mark.part) {
				return mark.runtime
			}
		}
	}
	return ""
}
