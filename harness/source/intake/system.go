package intake

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// OS is what /etc/os-release says; empty fields were not said.
type OS struct {
	ID, Name, Version string
	Like              []string // ID_LIKE
}

// PolicyLine is one line of a system's files that sets something for its programs.
type PolicyLine struct {
	Name   string `json:"name"` // "vm.max_map_count", "DefaultTasksMax", "* soft nproc", "SELINUX"
	Value  string `json:"value"`
	Source string `json:"source"` // the file and the line that win
	// Left is why a guest is not given it, empty when it is.
	Left string `json:"left,omitempty"`
}

// watched are the sysctls that decide what the claims are about.
var watched = []string{
	"kernel.pid_max", "kernel.randomize_va_space", "kernel.threads-max", "kernel.yama.ptrace_scope",
	"user.max_user_namespaces", "vm.legacy_va_layout", "vm.max_map_count", "vm.mmap_min_addr",
	"vm.overcommit_kbytes", "vm.overcommit_memory", "vm.overcommit_ratio",
}

// system reads what an operating system says of itself and of its programs' limits.
func (v volume) system() (OS, []PolicyLine) {
	var os OS
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		text, err := v.read(name, maxText)
		if err != nil {
			continue
		}
		get := func(key string) string { return value(string(text), key) }
		os = OS{ID: strings.ToLower(get("ID")), Name: get("PRETTY_NAME"), Version: get("VERSION_ID"), Like: strings.Fields(get("ID_LIKE"))}
		if os.Name == "" {
			os.Name = strings.TrimSpace(get("NAME") + " " + os.Version)
		}
		break
	}
	if os.ID == "" {
		return os, nil
	}
	set := map[string]PolicyLine{}
	v.sysctls(set)
	v.limits(set)
	v.manager(set)
	v.slice(set)
	v.lines(set, "etc/selinux/config", func(line string) (string, string) { return assignment(line, "SELINUX") })
	var policy []PolicyLine
	for _, s := range set {
		policy = append(policy, s)
	}
	slices.SortFunc(policy, func(a, b PolicyLine) int { return strings.Compare(a.Name, b.Name) })
	return os, policy
}

// sysctls reads the files in the order of sysctl --system: by name, and one in /etc
// in place of one of the same name elsewhere; the last line wins.
func (v volume) sysctls(set map[string]PolicyLine) {
	byName := map[string]string{}
	for _, dir := range []string{"usr/lib/sysctl.d", "lib/sysctl.d", "run/sysctl.d", "etc/sysctl.d"} {
		for _, n := range v.list(dir) {
			if strings.HasSuffix(n, ".conf") {
				byName[n] = path.Join(dir, n)
			}
		}
	}
	var names []string
	for n := range byName {
		names = append(names, n)
	}
	slices.Sort(names)
	files := []string{}
	for _, n := range names {
		files = append(files, byName[n])
	}
	for _, file := range append(files, "etc/sysctl.conf") {
		v.lines(set, file, func(line string) (string, string) {
			name, value, ok := strings.Cut(strings.TrimPrefix(line, "-"), "=")
			name = strings.ReplaceAll(strings.TrimSpace(name), "/", ".")
			if !ok || !slices.Contains(watched, name) {
				return "", ""
			}
			return name, strings.TrimSpace(value)
		})
	}
}

// manager reads what systemd gives to its services, and logind to users.
func (v volume) manager(set map[string]PolicyLine) {
	for _, file := range v.dropIns("systemd/system.conf") {
		v.lines(set, file, func(line string) (string, string) {
			for _, key := range []string{defaultTasks, "DefaultLimitNPROC", "DefaultLimitAS", "DefaultLimitDATA", "DefaultLimitSTACK", "DefaultLimitMEMLOCK"} {
				if name, value := assignment(line, key); name != "" {
					return name, value
				}
			}
			return "", ""
		})
	}
	for _, file := range v.dropIns("systemd/logind.conf") {
		v.lines(set, file, func(line string) (string, string) { return assignment(line, userTasks) })
	}
	// What is compiled in, the file that systemd brings shows as comments.
	for _, d := range []struct{ name, file string }{{defaultTasks, "systemd/system.conf"}, {userTasks, "systemd/logind.conf"}} {
		for _, dir := range []string{"etc/", "usr/lib/"} {
			if _, known := set[d.name]; !known {
				v.comments(set, dir+d.file, d.name)
			}
		}
	}
	if _, known := set[defaultTasks]; !known && v.hasSystemd() {
		set[defaultTasks] = PolicyLine{Name: defaultTasks, Value: builtInTasks, Source: "systemd-system.conf(5), the default of systemd since 231; no file says another"}
	}
}

// builtInTasks is DefaultTasksMax where no file says one (systemd-system.conf(5)).
const builtInTasks = "15%"

// hasSystemd is whether the system has systemd's program, in the folder of before
// or after /lib became a link to /usr/lib.
func (v volume) hasSystemd() bool {
	return slices.Contains(v.list("usr/lib/systemd"), "systemd") || slices.Contains(v.list("lib/systemd"), "systemd")
}

// dropIns is a file of systemd and those that add to it, in the order in which they
// count (systemd-system.conf(5)).
func (v volume) dropIns(name string) []string {
	files := []string{path.Join("usr/lib", name), path.Join("etc", name)}
	for _, dir := range []string{"usr/lib", "etc"} {
		names := v.list(path.Join(dir, name+".d"))
		slices.Sort(names)
		for _, n := range names {
			files = append(files, path.Join(dir, name+".d", n))
		}
	}
	return files
}

// comments takes a default that a comment shows.
func (v volume) comments(set map[string]PolicyLine, file, key string) {
	text, err := v.read(file, maxText)
	if err != nil {
		return
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if name, value := assignment(strings.TrimPrefix(strings.TrimSpace(line), "#"), key); name != "" {
			set[name] = PolicyLine{Name: name, Value: value, Source: fmt.Sprintf("/%s:%d, the default that it shows", file, number)}
		}
	}
}

// slice reads what systemd gives to all that a user runs.
func (v volume) slice(set map[string]PolicyLine) {
	byName := map[string]string{}
	for _, dir := range []string{"usr/lib/systemd/system/user-.slice.d", "lib/systemd/system/user-.slice.d", "etc/systemd/system/user-.slice.d"} {
		for _, n := range v.list(dir) {
			byName[n] = path.Join(dir, n)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(byName)) {
		v.lines(set, byName[n], func(line string) (string, string) {
			if name, value := assignment(line, "TasksMax"); name != "" {
				return sliceTasks, value
			}
			return "", ""
		})
	}
}

// limits reads what pam_limits gives to whoever logs in.
func (v volume) limits(set map[string]PolicyLine) {
	files := []string{"etc/security/limits.conf"}
	names := v.list("etc/security/limits.d")
	slices.Sort(names)
	for _, n := range names {
		files = append(files, path.Join("etc/security/limits.d", n))
	}
	for _, file := range files {
		v.lines(set, file, func(line string) (string, string) {
			words := strings.Fields(line)
			if len(words) < 4 || !slices.Contains(resources, words[2]) {
				return "", ""
			}
			// "-" is both, and takes the place of what was said of each before.
			if _, err := amount(words[2], words[3]); words[1] == "-" && err == nil {
				delete(set, words[0]+" soft "+words[2])
				delete(set, words[0]+" hard "+words[2])
			}
			return strings.Join(words[:3], " "), words[3]
		})
	}
}

// lines takes what read finds in each line of a file that is no comment.
func (v volume) lines(set map[string]PolicyLine, file string, read func(line string) (name, value string)) {
	text, err := v.read(file, maxText)
	if err != nil {
		return // most systems have not all of them
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if line == "" || line[0] == ';' {
			continue
		}
		if name, value := read(line); name != "" {
			set[name] = PolicyLine{Name: name, Value: value, Source: fmt.Sprintf("/%s:%d", file, number)}
		}
	}
}

func assignment(line, key string) (string, string) {
	name, value, ok := strings.Cut(line, "=")
	if !ok || strings.TrimSpace(name) != key {
		return "", ""
	}
	return key, strings.Trim(strings.TrimSpace(value), `"'`)
}
