package diagnose

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/filter"
	"github.com/mapstack/conformance/poc/trace"
)

// roomy is the evidence of a refusal on a machine where no limit is used up.
func roomy() Evidence {
	n := census.Known
	none := census.Amount{State: census.Unlimited}
	return Evidence{
		Failure: Failure{Call: "clone", Want: Thread, Flags: goThread, Errno: 11, Name: "EAGAIN", Attempts: 20, PID: 70, TID: 71},
		State: census.Census{
			Thread: census.Thread{PID: 70, TID: 71, Name: "app", Threads: n(14)},
			User:   census.User{ID: 1000, Processes: census.Limit{Soft: n(1000), Hard: n(2000)}, Tasks: n(20)},
			Tasks:  census.Tasks{Max: n(5000), Count: n(300), PIDMax: n(32768), IDs: n(250)},
			Space: census.Space{
				Limit: census.Limit{Soft: none, Hard: none}, Size: n(1 << 20),
				DataLimit: census.Limit{Soft: none, Hard: none}, Data: n(1 << 20),
				MaxMappings: n(65530), Mappings: n(50),
			},
			Memory:     census.Memory{Overcommit: n(0), CommitLimit: n(1 << 30), Committed: n(1 << 20), Available: n(1 << 30)},
			Seccomp:    census.Seccomp{Mode: n(0)},
			Modules:    []string{"capability", "yama", "apparmor"},
			Kernel:     "6.1.0-50-amd64",
			Namespaces: census.Namespaces{InitialPIDs: true, InitialUsers: true},
		},
		Map: Flags{Stack: 0x20000, Locked: 0x2000, Fixed: 0x10},
	}
}

func asked(answer uint32) Filters { return Filters{Read: true, Answer: filter.Answer(answer)} }

// judgements are states of a machine, most of which cannot be made without harm, and
// the certainty and ID of each cause they must give.
var judgements = []struct {
	name  string
	spoil func(e *Evidence, s *census.Census)
	want  string
}{
	{"nothing is used up", func(e *Evidence, s *census.Census) {}, "may be passing"},
	{"RLIMIT_NPROC", func(e *Evidence, s *census.Census) { s.User.Tasks = census.Known(1000) }, "is rlimit-nproc"},
	{"RLIMIT_NPROC nearly", func(e *Evidence, s *census.Census) { s.User.Tasks = census.Known(900) }, "may be rlimit-nproc, may be passing"},
	{"words alone, read late", func(e *Evidence, s *census.Census) { e.Failure.Attempts = 0 }, "may be rlimit-nproc, may be passing"},
	{"root is exempt", func(e *Evidence, s *census.Census) { s.User.Tasks, s.User.Exempt = census.Known(1000), "root" }, "may be passing"},
	{"no limit", func(e *Evidence, s *census.Census) {
		s.User.Processes.Soft = census.Amount{State: census.Unlimited}
	}, "may be passing"},
	{"threads-max", func(e *Evidence, s *census.Census) { s.Tasks.Count = census.Known(5000) }, "is threads-max"},
	{"pid_max", func(e *Evidence, s *census.Census) {
		s.Tasks.PIDMax, s.Tasks.IDs = census.Known(550), census.Known(250)
	}, "is pid-max"},
	{"pid_max is not read", func(e *Evidence, s *census.Census) { s.Tasks.PIDMax = census.Amount{} }, "may be limit-unread"},
	{"the kernel's order", func(e *Evidence, s *census.Census) {
		s.User.Tasks, s.Tasks.Count, s.Policy = census.Known(1000), census.Known(5000), census.Known(census.Deadline)
	}, "is rlimit-nproc, next threads-max, next sched-deadline"},
	{"a group above", func(e *Evidence, s *census.Census) { s.Groups.Pids = groups("max 5 0", "5 5 20") }, "is cgroup-pids"},
	{"a group that has room again, new kernels", func(e *Evidence, s *census.Census) {
		e.Before.Groups.Pids, s.Groups.Pids = groups("max 2 0", "5 2 3"), groups("max 4 0", "5 4 4")
	}, "is cgroup-pids"},
	{"a group that has room again, old kernels", func(e *Evidence, s *census.Census) {
		e.Before.Groups.Pids, s.Groups.Pids = groups("max 2 0", "5 2 0"), groups("max 4 1", "5 4 0")
	}, "is cgroup-pids"},
	{"what came as far as the group passed the rest", func(e *Evidence, s *census.Census) {
		s.User.Tasks = census.Known(1000)
		e.Before.Groups.Pids, s.Groups.Pids = groups("5 2 3"), groups("5 5 4")
	}, "is cgroup-pids, next rlimit-nproc"},
	{"a group that refused others before", func(e *Evidence, s *census.Census) {
		e.Before.Groups.Pids, s.Groups.Pids = groups("5 2 3"), groups("5 2 3")
	}, "may be passing"},
	{"a container", func(e *Evidence, s *census.Census) {
		s.Groups.Hidden, s.Namespaces.InitialPIDs, s.Container, s.Seccomp.Mode, s.Seccomp.Filters = true, false, "docker", census.Known(2), census.Known(1)
		e.Filters.Problem = "EACCES"
	}, "may be rlimit-nproc, may be cgroup-hidden, may be seccomp"},
	{"a filter", func(e *Evidence, s *census.Census) {
		e.Filters, s.User.Tasks = asked(trace.Error|11), census.Known(1000)
	}, "is seccomp"},
	{"a filter that lets pass", func(e *Evidence, s *census.Census) {
		e.Filters, s.Seccomp.Mode, s.User.Tasks = asked(trace.Allow), census.Known(2), census.Known(1000)
	}, "is rlimit-nproc"},
	{"a filter with another errno", func(e *Evidence, s *census.Census) {
		e.Filters, s.User.Tasks = asked(trace.Error|1), census.Known(1000)
	}, "is rlimit-nproc"},
	{"a supervisor", func(e *Evidence, s *census.Census) { e.Filters = asked(trace.Ask) }, "may be seccomp-supervisor"},
	{"EPERM, filters unread", func(e *Evidence, s *census.Census) {
		fail(e, "EPERM", 1)
		s.Seccomp.Mode = census.Known(2)
	}, "may be seccomp"},
	{"EPERM, no filter", func(e *Evidence, s *census.Census) { fail(e, "EPERM", 1) }, "may be security-module"},
	{"EPERM for a namespace", func(e *Evidence, s *census.Census) {
		fail(e, "EPERM", 1)
		e.Failure.Flags |= 0x20000000
	}, "is namespace-privilege"},
	{"ENOSYS of clone", func(e *Evidence, s *census.Census) {
		fail(e, "ENOSYS", 38)
		s.Seccomp.Mode = census.Known(2)
	}, "is seccomp"},
	{"ENOSYS of clone3", func(e *Evidence, s *census.Census) {
		fail(e, "ENOSYS", 38)
		e.Failure.Call = "clone3"
	}, "may be old-kernel"},
	{"EINVAL after unshare", func(e *Evidence, s *census.Census) {
		fail(e, "EINVAL", 22)
		s.Namespaces.ChildPIDs, s.Seccomp.Mode = true, census.Known(2)
	}, "is pid-namespace, may be seccomp"},
	{"EINVAL in time", func(e *Evidence, s *census.Census) {
		fail(e, "EINVAL", 22)
		s.Namespaces.ChildTime = true
	}, "is time-namespace"},
	{"EINVAL", func(e *Evidence, s *census.Census) { fail(e, "EINVAL", 22) }, "may be flags"},
	{"a dead PID namespace", func(e *Evidence, s *census.Census) {
		fail(e, "ENOMEM", 12)
		e.Failure.Want, s.Namespaces.ChildPIDs = Process, true
	}, "is pid-namespace-dead"},
	{"ENOMEM", func(e *Evidence, s *census.Census) { fail(e, "ENOMEM", 12) }, "may be kernel-memory"},
	{"ENOMEM in a group", func(e *Evidence, s *census.Census) {
		fail(e, "ENOMEM", 12)
		group := census.MemoryGroup{Path: "/cg/a", Version: 2, Max: census.Known(100), Current: census.Known(100), Hits: census.Known(3)}
		e.Before.Groups.Memory = []census.MemoryGroup{group}
		group.Hits = census.Known(4)
		s.Groups.Memory = []census.MemoryGroup{group}
	}, "may be cgroup-memory"},
	{"RLIMIT_AS", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		s.Space.Limit.Soft = census.Known(2 << 20)
	}, "is rlimit-as"},
	{"RLIMIT_AS just not", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		s.Space.Limit.Soft = census.Known(5 << 20)
	}, "may be memory"},
	{"RLIMIT_DATA", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		s.Space.DataLimit.Soft = census.Known(2 << 20)
	}, "is rlimit-data"},
	{"max_map_count", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		s.Space.Mappings = census.Known(65531)
	}, "is max-map-count"},
	{"overcommit", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		s.Memory.Overcommit, s.Memory.Committed = census.Known(2), census.Known(1<<30)
	}, "is overcommit"},
	{"locked memory", func(e *Evidence, s *census.Census) { mapping(e, "EAGAIN", 11) }, "may be memlock"},
	{"MAP_STACK", func(e *Evidence, s *census.Census) {
		mapping(e, "EPERM", 1)
		e.Failure.Flags = 0x20022
	}, "may be map-stack"},
	{"a mapping that is not allowed", func(e *Evidence, s *census.Census) { mapping(e, "EACCES", 13) }, "may be security-module"},
}

func fail(e *Evidence, name string, errno int) { e.Failure.Name, e.Failure.Errno = name, errno }

func mapping(e *Evidence, name string, errno int) {
	fail(e, name, errno)
	e.Failure.Call, e.Failure.Want, e.Failure.Flags, e.Failure.Length = "mmap", Memory, 0x22, 4<<20
}

// groups makes control groups, from the program's own upwards. Each text has the
// limit, the tasks and the refusals.
func groups(all ...string) (list []census.PidsGroup) {
	for i, text := range all {
		var limit string
		var current, refused uint64
		if _, err := fmt.Sscan(text, &limit, &current, &refused); err != nil {
			panic(err)
		}
		g := census.PidsGroup{Path: fmt.Sprint("/cg/", len(all)-i), Version: 2, Current: census.Known(current), Refused: census.Known(refused)}
		if g.Max.State = census.Unlimited; limit != "max" {
			g.Max.State = census.Exact
			_, _ = fmt.Sscan(limit, &g.Max.N)
		}
		list = append(list, g)
	}
	return list
}

func TestEachStateIsJudged(t *testing.T) {
	for _, c := range judgements {
		e := roomy()
		c.spoil(&e, &e.State)
		var got []string
		for _, cause := range Judge(e) {
			got = append(got, fmt.Sprint(cause.Certainty, " ", cause.ID))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestEveryCauseIsToldInBothLanguages fails if a sentence lacks a value or a
// translation, or if a certain cause lacks the command that takes it away.
func TestEveryCauseIsToldInBothLanguages(t *testing.T) {
	check := func(name string, words Text) {
		for _, l := range []Language{English, Chinese} {
			text := words.In(l)
			han := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
			if han != (l == Chinese) || strings.Contains(text, "%!") {
				t.Errorf("%s in %s: %q", name, l, text)
			}
		}
	}
	for _, runtime := range []string{"", "docker", "kubernetes", "lxc"} {
		for _, c := range judgements {
			e := roomy()
			c.spoil(&e, &e.State)
			e.State.Container = runtime
			r := Report{Verdict: "refused", Failure: &e.Failure, State: &e.State, Causes: Judge(e)}
			r.explain(true, nil)
			check(c.name, r.Explanation)
			for _, cause := range r.Causes {
				for _, remedy := range cause.Raise {
					check(c.name, remedy.When)
					if strings.Contains(remedy.Command, "%!") {
						t.Errorf("%s: %q", c.name, remedy.Command)
					}
				}
				if cause.Certainty == Is && len(cause.Raise) == 0 {
					t.Errorf("%s: nothing raises %s", c.name, cause.ID)
				}
			}
		}
	}
}

// TestALimitIsRaisedWhereItIsSet fails if systemd or a container runtime would undo
// a command.
func TestALimitIsRaisedWhereItIsSet(t *testing.T) {
	id := strings.Repeat("0123456789ab", 6)[:64]
	for _, c := range []struct{ runtime, path, want string }{
		{"", "/sys/fs/cgroup/system.slice/app.service", "systemctl set-property app.service TasksMax=1024"},
		{"", "/sys/fs/cgroup/user.slice/user-1000.slice", "systemctl set-property user-1000.slice TasksMax=1024"},
		{"", "/sys/fs/cgroup/mine", "echo 1024 > /sys/fs/cgroup/mine/pids.max"},
		{"docker", "/sys/fs/cgroup/system.slice/docker-" + id + ".scope", "docker update --pids-limit 1024 0123456789ab"},
		{"podman", "/sys/fs/cgroup/machine.slice/libpod-" + id + ".scope", "podman update --pids-limit 1024 0123456789ab"},
		{"kubernetes", "/sys/fs/cgroup/kubepods.slice/pod1", "podPidsLimit: 4096"},
	} {
		e := roomy()
		e.State.Container = c.runtime
		e.State.Groups.Pids = []census.PidsGroup{{Path: c.path, Version: 2, Max: census.Known(9), Current: census.Known(9)}}
		if got := Judge(e)[0].Raise[0].Command; got != c.want {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
}

func TestRaisedLimitsLeaveRoom(t *testing.T) {
	for used, want := range map[uint64]uint64{0: 1024, 512: 1024, 513: 2048, 5000: 16384, 1 << 63: 1 << 62} {
		if got := double(used); got != want {
			t.Errorf("%d: %d, want %d", used, got, want)
		}
	}
}
