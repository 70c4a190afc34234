package facts

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// memory observes the size of memory and of pages. meminfo shows AnonHugePages only
// with CONFIG_TRANSPARENT_HUGEPAGE (fs/proc/meminfo.c), even if the machine then
// has no huge pages.
func memory(p *probe.P) {
	o := p.Observe("memory")
	lines, err := fields("/proc/meminfo")
	if err != nil {
		o.Unknown("MemTotal", err.Error()).Unknown("thp", err.Error())
	} else {
		for _, key := range []string{"MemTotal", "SwapTotal", "CommitLimit", "Hugepagesize", "HugePages_Total"} {
			if value, ok := lines[key]; ok {
				o.Set(key, value)
			}
		}
		_, thp := lines["AnonHugePages"]
		o.Set("thp", thp)
	}
	const sysfs = "/sys/kernel/mm/transparent_hugepage/"
	file(o, "thp.enabled", sysfs+"enabled")
	file(o, "thp.defrag", sysfs+"defrag")
	file(o, "thp.size", sysfs+"hpage_pmd_size")
	o.Emit()
}

func processors(p *probe.P) {
	o := p.Observe("cpus").Set("affinity", runtime.NumCPU())
	for _, set := range []string{"online", "possible", "present"} {
		file(o, set, "/sys/devices/system/cpu/"+set)
	}
	o.Emit()
}

// process observes the user and the privileges of the probes, as the kernel sees
// them.
func process(p *probe.P) {
	status, err := fields("/proc/self/status")
	uid := os.Getuid()
	if real := strings.Fields(status["Uid"]); uid < 0 && len(real) > 0 {
		// An architecture without getuid(2) has another call for it, which its
		// emulator may not know. The status file does not depend on that.
		uid, _ = strconv.Atoi(real[0])
	}
	o := p.Observe("process").Set("uid", uid)
	for _, key := range []string{"CapEff", "NoNewPrivs", "Seccomp", "Threads"} {
		if value, ok := status[key]; ok {
			o.Set(key, value)
		} else if err != nil {
			o.Unknown(key, err.Error())
		}
	}
	if persona, errno := p.Kernel.Personality(0xffffffff); errno == 0 {
		o.Set("personality", persona)
	}
	label(o)
	o.Emit()
}

// label observes the security label of the probes: a context of SELinux or a profile of
// AppArmor. The kernel answers EINVAL if no active module labels processes.
func label(o *probe.Obs) {
	text, err := os.ReadFile("/proc/self/attr/current")
	switch {
	case err == nil:
		// SELinux ends the context with a zero byte.
		o.Set("label", short(strings.TrimRight(string(text), "\x00\n")))
	case !os.IsNotExist(err) && !errors.Is(err, syscall.EINVAL):
		o.Unknown("label", err.Error())
	}
}

func kernel(p *probe.P) {
	o := p.Observe("kernel")
	file(o, "version", "/proc/version")
	file(o, "cmdline", "/proc/cmdline")
	// Absent if securityfs is not mounted or no LSM is built in.
	file(o, "lsm", "/sys/kernel/security/lsm")
	// Absent if SELinux is off: nothing then mounts its file system.
	file(o, "selinux.enforce", "/sys/fs/selinux/enforce")
	o.Emit()
}

// config observes the kernel's configuration if the kernel shows it
// (CONFIG_IKCONFIG_PROC; Debian does not set it).
func config(p *probe.P) {
	o := p.Observe("config")
	wanted := []string{
		"CONFIG_TRANSPARENT_HUGEPAGE", "CONFIG_HUGETLB_PAGE", "CONFIG_PROC_PAGE_MONITOR",
		"CONFIG_DEFAULT_MMAP_MIN_ADDR", "CONFIG_LSM_MMAP_MIN_ADDR",
		"CONFIG_SECCOMP_FILTER", "CONFIG_CGROUP_PIDS", "CONFIG_USER_NS", "CONFIG_PID_NS",
		"CONFIG_ANON_VMA_NAME", "CONFIG_MEM_SOFT_DIRTY", "CONFIG_PREEMPT_RT",
	}
	settings, err := readConfig("/proc/config.gz", wanted)
	for _, name := range wanted {
		if err != nil {
			o.Unknown(name, err.Error())
		} else if value, ok := settings[name]; ok {
			o.Set(name, value)
		} else {
			o.Set(name, "n") // "is not set", or not in the file because of an unmet dependency
		}
	}
	o.Emit()
}

func readConfig(path string, wanted []string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		pair := strings.SplitN(lines.Text(), "=", 2)
		for _, name := range wanted {
			if len(pair) == 2 && pair[0] == name {
				settings[name] = short(pair[1])
			}
		}
	}
	return settings, lines.Err()
}

// cgroups observes which limits can be set on groups of processes.
func cgroups(p *probe.P) {
	o := p.Observe("cgroup")
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		o.Unknown("mounts", err.Error())
	}
	var at []string
	for _, line := range strings.Split(string(mounts), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 || f[2] != "cgroup" && f[2] != "cgroup2" {
			continue
		}
		at = append(at, f[2]+":"+f[1])
		if f[2] == "cgroup2" {
			file(o, "controllers", f[1]+"/cgroup.controllers")
		}
	}
	if err == nil {
		o.Set("mounts", short(strings.Join(at, " ")))
	}
	file(o, "self", "/proc/self/cgroup")
	if table, err := os.Open("/proc/cgroups"); err == nil {
		defer table.Close()
		o.Set("known", short(strings.Join(firstWords(table), " ")))
	}
	o.Emit()
}

// firstWords returns the first word of each line that is not a comment.
func firstWords(r io.Reader) []string {
	var words []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
			words = append(words, f[0])
		}
	}
	return words
}

// fields reads a file of "Key: value" lines.
func fields(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		if colon := strings.IndexByte(line, ':'); colon > 0 {
			values[line[:colon]] = strings.TrimSpace(line[colon+1:])
		}
	}
	return values, nil
}
