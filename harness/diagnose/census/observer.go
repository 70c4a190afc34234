package census

import (
	"strconv"
	"strings"
)

// Observer is the process that takes the census. Its tasks count against the
// limits of its user and of its control groups.
type Observer struct {
	User  uint32 `json:"user"`
	Tasks Amount `json:"tasks"`
	// Group is the folder of its group under the controller pids, "" where it cannot
	// be seen.
	Group string `json:"group,omitempty"`
	// SeesAll reports that no process is hidden from it by the option hidepid of
	// /proc.
	SeesAll bool `json:"seesAll"`
}

func (r reader) observer() (o Observer) {
	_ = lines(r.root, "proc/self/status", func(line string) bool {
		key, rest, _ := strings.Cut(line, ":")
		f := strings.Fields(rest)
		switch {
		case len(f) == 0:
		case key == "Uid":
			n, _ := strconv.ParseUint(f[0], 10, 32)
			o.User = uint32(n)
		case key == "Threads":
			o.Tasks, _ = amount(f[0])
		case key == "CapEff":
			caps, _ := strconv.ParseUint(f[0], 16, 64)
			o.SeesAll = caps>>SysPtrace&1 == 1
		}
		return false
	})
	o.SeesAll = o.SeesAll || !r.hidesProcesses()
	mounted, _ := hierarchies(r.root)
	if dirs, _, err := place(r.root, "proc/self/cgroup", mounted, "pids"); err == nil {
		o.Group = dirs[0]
	}
	return o
}

// hidesProcesses reports whether /proc is mounted with hidepid, which hides the
// processes of other users. A line is
//
//	22 1 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible
func (r reader) hidesProcesses() (hides bool) {
	_ = lines(r.root, "proc/self/mountinfo", func(line string) bool {
		mount, kind, _ := strings.Cut(line, " - ")
		m, k := strings.Fields(mount), strings.Fields(kind)
		if len(m) < 5 || len(k) < 3 || k[0] != "proc" || m[4] != "/proc" {
			return false
		}
		for option := range strings.SplitSeq(k[2], ",") {
			value, is := strings.CutPrefix(option, "hidepid=")
			hides = is && value != "0" && value != "off" || hides
		}
		return false
	})
	return hides
}
