package diagnose

import (
	"path"
	"regexp"
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/foreign"
)

// ofContainer reports whether a container runtime made a group: its name says so,
// or it is the highest group that the container shows.
func ofContainer(s census.Census, group string) bool {
	if s.Container == "" {
		return false
	}
	top := len(s.Groups.Pids) - 1
	return containerOf(group) != "" || lxcOf(group) != "" || strings.Contains(group, "kubepods") || s.Groups.Hidden && top >= 0 && s.Groups.Pids[top].Path == group
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

// unitName matches the names that systemd gives to units (unit_name_is_valid in systemd's
// src/basic/unit-name.c) and control groups.
var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+\.(?:service|scope|slice)$`)

// unitOf returns the systemd unit that the folder of a group is named after, "" for
// other names.
func unitOf(dir string) string {
	if name := path.Base(dir); unitName.MatchString(name) {
		return name
	}
	return ""
}

// unitWord returns a unit as a word of a command of systemctl.
func unitWord(unit string) words {
	if strings.HasPrefix(unit, "-") {
		return words("-- " + foreign.Shell(unit))
	}
	return words(foreign.Shell(unit))
}

// manager returns the option of systemctl for the units of a user.
func manager(s census.Census) words {
	for _, g := range s.Groups.Pids {
		if strings.Contains(path.Dir(g.Path), "/user@") && !strings.HasSuffix(unitOf(g.Path), ".slice") {
			return " --user"
		}
	}
	return ""
}

// containerName matches the names that docker and podman give to groups.
var containerName = regexp.MustCompile(`(?:docker|libpod)[-/]([0-9a-f]{12,64})`)

// lxcName matches the names that LXC gives to groups.
var lxcName = regexp.MustCompile(`/lxc(?:\.payload\.|/)([A-Za-z0-9_.-]+)`)

// lxcOf returns the LXC container that a group is named after, "" for other names.
func lxcOf(dir string) string {
	m := lxcName.FindStringSubmatch(dir)
	if m == nil {
		return ""
	}
	return m[1]
}

// containerOf returns the short ID of the container that a group is named after, ""
// for other names.
func containerOf(dir string) string {
	m := containerName.FindStringSubmatch(dir)
	if m == nil {
		return ""
	}
	return m[1][:12]
}
