package target

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/failure"
)

// watched lists the sysctls that probes may change, by their paths below /proc/sys.
var watched = []string{
	"kernel/pid_max", "kernel/printk", "kernel/printk_devkmsg", "kernel/randomize_va_space", "kernel/sysrq", "kernel/threads-max",
	"kernel/unprivileged_userns_clone", "kernel/yama/ptrace_scope", "user/max_user_namespaces",
	"vm/legacy_va_layout", "vm/max_map_count", "vm/mmap_min_addr", "vm/overcommit_kbytes", "vm/overcommit_memory", "vm/overcommit_ratio", "vm/user_reserve_kbytes",
}

// settings holds what a system says of itself, by name: sysctls, the limits of a new process,
// and the control groups and mounts that probes may leave behind.
type settings map[string]string

// readSettings is the script that prints the settings, each as a name, a tab and a value.
// Control groups of others come and go, so it looks for those of probes by name.
const (
	sysctlPrefix = "sysctl "
	readSettings = `cd /proc/sys && for f in %s; do [ -r "$f" ] && printf "sysctl %%s\t" "$f" && tr "\n\t" "  " <"$f" && echo; done
while read -r l; do printf "limit %%s\t.\n" "$l"; done </proc/self/limits
find /sys/fs/cgroup -type d \( -name "newosproc-*" -o -name "oslimits-*" -o -name "limits-leaf" -o -name "limits-outer" -o -name "limits-memory" \) 2>/dev/null | while read -r l; do printf "group %%s\t.\n" "$l"; done
[ -r /sys/fs/cgroup/cgroup.subtree_control ] && printf "controllers\t%%s\n" "$(cat /sys/fs/cgroup/cgroup.subtree_control)"
while read -r a b c d; do case "$b" in */mapstack.*) printf "mount %%s\t.\n" "$b";; esac; done </proc/mounts
exit 0`
)

func (h *Hosted) settings(ctx context.Context) (settings, error) {
	text, err := h.script(ctx, fmt.Sprintf(readSettings, strings.Join(watched, " ")), nil)
	if err != nil {
		return nil, fmt.Errorf("read the settings that probes may change: %w", err)
	}
	s := settings{}
	for _, line := range strings.Split(text, "\n") {
		if name, value, found := strings.Cut(line, "\t"); found {
			s[name] = strings.TrimSpace(value)
		}
	}
	if len(s) == 0 {
		return nil, fmt.Errorf("read the settings that probes may change: %s shows none; is /proc mounted there?", h.name())
	}
	return s, nil
}

// difference returns which settings changed, in words; nil if none did.
func difference(before, after settings) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch now, there := after[name]; {
		case !there:
			all = append(all, name+" is gone")
		case now != before[name]:
			all = append(all, fmt.Sprintf("%s was %q and is %q", name, before[name], now))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, there := before[name]; !there {
			all = append(all, name+" is new")
		}
	}
	return all
}

// Unchanged compares the system's settings with those at Load. A difference is a *Failure.
// Changed sysctls are also restored.
func (h *Hosted) Unchanged(ctx context.Context) error {
	after, err := h.settings(ctx)
	if err != nil {
		return h.blame(ctx, "compare the settings with those before", err)
	}
	changed := difference(h.before, after)
	if changed == nil {
		return nil
	}
	message := h.name() + " is not as it was before the probes: " + strings.Join(changed, "; ")
	for name, value := range h.before {
		file, sysctl := strings.CutPrefix(name, sysctlPrefix)
		if !sysctl || after[name] == value {
			continue
		}
		if _, err := h.script(ctx, "printf %s "+quote(value)+" >/proc/sys/"+file, nil); err != nil {
			message += fmt.Sprintf("; %s could not be put back: %v", file, err)
		} else {
			message += "; " + file + " was put back"
		}
	}
	return &failure.Failure{Kind: failure.Altered, Message: message}
}
