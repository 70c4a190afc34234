package diagnose

import (
	"path"
	"regexp"
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// ofContainer reports whether a container runtime made a group: its name says so,
// or it is the highest group that the container shows.
func ofContainer(s census.Census, group string) bool {
	if s.Container == "" {
		return false
	}
	top := len(s.Groups.Pids) - 1
	return containerOf(group) != "" || strings.Contains(group, "kubepods") || s.Groups.Hidden && top >= 0 && s.Groups.Pids[top].Path == group
}

// serviceOf returns the systemd service that the program belongs to, "" without one.
func serviceOf(s census.Census) string {
	for _, g := range s.Groups.Pids {
		for dir := g.Path; dir != "/" && dir != "."; dir = path.Dir(dir) {
			if unit := unitOf(dir); strings.HasSuffix(unit, ".service") {
				return unit
			}
		}
	}
	return ""
}

// unitOf returns the systemd unit that the folder of a group is named after, "" for
// other names.
func unitOf(dir string) string {
	for _, kind := range []string{".service", ".scope", ".slice"} {
		if name := path.Base(dir); strings.HasSuffix(name, kind) {
			return name
		}
	}
	return ""
}

// containerName matches the names that docker and podman give to groups.
var containerName = regexp.MustCompile(`(?:docker|libpod)[-/]([0-9a-f]{12,64})`)

// containerOf returns the short ID of the container that a group is named after, ""
// for other names.
func containerOf(dir string) string {
	m := containerName.FindStringSubmatch(dir)
	if m == nil {
		return ""
	}
	return m[1][:12]
}
