package intake

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// OS is what /etc/os-release says; empty fields were not said.
type OS struct {
	ID, Name, Version string
	Like              []string // ID_LIKE
}

// Setting is one thing that an operating system sets for its programs.
type Setting struct {
	Name   string `json:"name"` // "vm.max_map_count", "DefaultTasksMax", "* soft nproc", "SELINUX"
	Value  string `json:"value"`
	Source string `json:"source"` // the file and the line that win
}

// watched are the sysctls that decide what the claims are about.
var watched = []string{
	"kernel.pid_max", "kernel.randomize_va_space", "kernel.threads-max", "kernel.yama.ptrace_scope",
	"user.max_user_namespaces", "vm.legacy_va_layout", "vm.max_map_count", "vm.mmap_min_addr",
	"vm.overcommit_kbytes", "vm.overcommit_memory", "vm.overcommit_ratio",
}

// system reads what an operating system says of itself and of its programs' limits.
func (v volume) system() (OS, []Setting) {
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
	set := map[string]Setting{}
	v.sysctls(set)
	v.limits(set)
	v.manager(set)
	v.lines(set, "etc/selinux/config", func(line string) (string, string) { return assignment(line, "SELINUX") })
	var policy []Setting
	for _, s := range set {
		policy = append(policy, s)
	}
	slices.SortFunc(policy, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	return os, policy
}

// sysctls reads the files in the order of sysctl --system: by name, and one in /etc
// in place of one of the same name elsewhere; the last line wins.
func (v volume) sysctls(set map[string]Setting) {
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

// manager reads what systemd gives to its services.
func (v volume) manager(set map[string]Setting) {
	files := []string{"usr/lib/systemd/system.conf", "etc/systemd/system.conf"}
	for _, dir := range []string{"usr/lib/systemd/system.conf.d", "etc/systemd/system.conf.d"} {
		names := v.list(dir)
		slices.Sort(names)
		for _, n := range names {
			files = append(files, path.Join(dir, n))
		}
	}
	for _, file := range files {
		for _, key := range []string{"DefaultTasksMax", "DefaultLimitNPROC", "DefaultLimitAS", "DefaultLimitSTACK"} {
			v.lines(set, file, func(line string) (string, string) { return assignment(line, key) })
		}
	}
}

// limits reads what pam_limits gives to whoever logs in.
func (v volume) limits(set map[string]Setting) {
	files := []string{"etc/security/limits.conf"}
	names := v.list("etc/security/limits.d")
	slices.Sort(names)
	for _, n := range names {
		files = append(files, path.Join("etc/security/limits.d", n))
	}
	for _, file := range files {
		v.lines(set, file, func(line string) (string, string) {
			words := strings.Fields(line)
			if len(words) < 4 || !slices.Contains([]string{"nproc", "as", "data", "stack", "memlock"}, words[2]) {
				return "", ""
			}
			return strings.Join(words[:3], " "), words[3]
		})
	}
}

// lines takes what read finds in each line of a file that is no comment.
func (v volume) lines(set map[string]Setting, file string, read func(line string) (name, value string)) {
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
			set[name] = Setting{name, value, fmt.Sprintf("/%s:%d", file, number)}
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
