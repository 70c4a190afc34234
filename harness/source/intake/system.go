package intake

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// OS is the content of /etc/os-release. Missing fields are empty.
type OS struct {
	ID, Name, Version string
	Like              []string // ID_LIKE
}

// PolicyLine is one line of a system's files that sets something for its programs.
type PolicyLine struct {
	Name   string `json:"name"` // "vm.max_map_count", "DefaultTasksMax", "* soft nproc", "SELINUX"
	Value  string `json:"value"`
	Source string `json:"source"` // the file and the line that set it
	// Left says why a guest does not get the setting. It is empty if the guest gets
	// it.
	Left string `json:"left,omitempty"`
}

// watched are the sysctls that the claims depend on.
var watched = []string{
	"kernel.pid_max", "kernel.randomize_va_space", "kernel.threads-max", "kernel.yama.ptrace_scope",
	"user.max_user_namespaces", "vm.legacy_va_layout", "vm.max_map_count", "vm.mmap_min_addr",
	"vm.overcommit_kbytes", "vm.overcommit_memory", "vm.overcommit_ratio",
}

// system reads which operating system this is, and the limits that it sets for its
// programs.
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

// sysctls reads the files in the order of sysctl --system: sorted by name. A file in
// /etc replaces one with the same name elsewhere. The last line wins.
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

// manager reads what systemd sets for services, and logind for users.
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
	// systemd ships a file that shows the compiled-in defaults as comments.
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

// builtInTasks is the DefaultTasksMax that applies if no file sets one
// (systemd-system.conf(5)).
const builtInTasks = "15%"

// hasSystemd reports whether the system has systemd. Older systems have its program
// in /lib, newer ones in /usr/lib.
func (v volume) hasSystemd() bool {
	return slices.Contains(v.list("usr/lib/systemd"), "systemd") || slices.Contains(v.list("lib/systemd"), "systemd")
}

// dropIns returns a configuration file of systemd and its drop-in files. A later
// file overrides an earlier one (systemd-system.conf(5)).
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

// comments reads a default that is shown as a comment.
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

// slice reads what systemd sets for all programs of a user.
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

// limits reads what pam_limits sets for a user who logs in.
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
			// "-" sets both limits and replaces earlier lines.
			if _, err := amount(words[2], words[3]); words[1] == "-" && err == nil {
				delete(set, words[0]+" soft "+words[2])
				delete(set, words[0]+" hard "+words[2])
			}
			return strings.Join(words[:3], " "), words[3]
		})
	}
}

// lines stores the setting that read finds in each line. Comments are skipped.
func (v volume) lines(set map[string]PolicyLine, file string, read func(line string) (name, value string)) {
	text, err := v.read(file, maxText)
	if err != nil {
		return // most systems lack some of these files
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
