package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/fatal"
	"github.com/mapstack/conformance/harness/diagnose/filter"
	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/harness/language"
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
		Map: Flags{Stack: 0x20000, Locked: 0x2000, Fixed: 0x10, NoReserve: 0x4000},
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
	{"RLIMIT_NPROC by a task of mapstack that has ended", func(e *Evidence, s *census.Census) {
		s.User.Tasks = census.Known(999)
		s.AddOwn(1)
	}, "is rlimit-nproc"},
	{"pids.max by a task of mapstack that has ended", func(e *Evidence, s *census.Census) {
		s.Pids = []census.PidsGroup{{Path: "/g", Max: census.Known(9), Current: census.Known(8)}}
		s.AddOwn(1)
	}, "is cgroup-pids"},
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
	{"execve after a change of user", func(e *Evidence, s *census.Census) {
		e.Failure.Call, e.Failure.Want, e.Failure.Path, s.User.Tasks = "execve", Execution, "/bin/true", census.Known(1000)
		s.Tasks.Count = census.Known(5000)
	}, "is rlimit-nproc"},
	{"execve, and the user has room again", func(e *Evidence, s *census.Census) {
		e.Failure.Call, e.Failure.Want = "execve", Execution
	}, "may be passing"},
	{"the dead fill RLIMIT_NPROC", func(e *Evidence, s *census.Census) {
		s.User.Tasks = census.Known(1000)
		s.Tasks.Dead = []census.Dead{{Parent: 60, Name: "idle", User: 1000, Count: 400}, {Parent: 61, Name: "other", User: 7, Count: 500}}
	}, "is rlimit-nproc"},
	{"the dead fill a group", func(e *Evidence, s *census.Census) {
		s.Groups.Pids = groups("max 5 0", "30 30 20")
		s.Tasks.Dead = []census.Dead{{Parent: 60, Name: "idle", Group: "/cg/1", Count: 20}, {Parent: 9, Name: "x", Group: "/cg/10", Count: 30}}
	}, "is cgroup-pids"},
	{"a first process that does not wait", func(e *Evidence, s *census.Census) {
		s.Groups.Pids = groups("30 30 20")
		s.Tasks.Dead = []census.Dead{{Parent: 1, Name: "sh", Group: "/cg/1", Count: 20}}
	}, "is cgroup-pids"},
	{"mapstack's own tasks fill the limit", func(e *Evidence, s *census.Census) {
		s.User.Tasks, s.Observer = census.Known(1000), census.Observer{User: 1000, Tasks: census.Known(9)}
	}, "is rlimit-nproc"},
	{"hidepid", func(e *Evidence, s *census.Census) {
		s.User.Tasks, s.Tasks.IDs, s.Unknown = census.Amount{}, census.Amount{}, map[string]string{"userTasks": "hidepid"}
	}, "may be rlimit-nproc"},
	{"hidepid, and numbers may be used up", func(e *Evidence, s *census.Census) {
		s.Tasks.IDs, s.Tasks.PIDMax = census.Amount{}, census.Known(500)
	}, "may be limit-unread"},
	{"a user namespace", func(e *Evidence, s *census.Census) { s.Namespaces.InitialUsers = false }, "may be userns-nproc"},
	{"a user namespace that was seen to be made", func(e *Evidence, s *census.Census) {
		s.Namespaces.InitialUsers, e.Kept = false, census.Known(20)
	}, "is userns-nproc"},
	{"a user namespace that was made with room", func(e *Evidence, s *census.Census) {
		s.Namespaces.InitialUsers, e.Kept = false, census.Known(500)
	}, "may be userns-nproc"},
	{"a user namespace before 5.14", func(e *Evidence, s *census.Census) {
		s.Namespaces.InitialUsers, s.Kernel = false, "5.10.0-30-amd64"
	}, "may be passing"},
	{"no groups are mounted", func(e *Evidence, s *census.Census) { s.Groups.Unseen = census.NotMounted }, "may be cgroup-unseen"},
	{"no groups of version 1 are mounted", func(e *Evidence, s *census.Census) {
		s.Groups.Unseen, s.Groups.UnseenVersion = census.NotMounted, 1
	}, "may be cgroup-unseen"},
	{"another cgroup namespace", func(e *Evidence, s *census.Census) { s.Groups.Unseen = census.OtherNamespace }, "may be cgroup-unseen"},
	{"nothing can be read", func(e *Evidence, s *census.Census) { *s = census.Census{} }, "may be nothing-read"},
	{"nothing can be read, ENOMEM", func(e *Evidence, s *census.Census) {
		fail(e, "ENOMEM", 12)
		*s = census.Census{}
	}, "may be nothing-read"},
	{"numbers of another namespace, 6.14", func(e *Evidence, s *census.Census) {
		s.Namespaces.ElsewherePIDs, s.Tasks.IDs, s.Kernel = true, census.Amount{}, "6.14.0"
	}, "may be pid-max-unseen"},
	{"numbers of another namespace, 6.1", func(e *Evidence, s *census.Census) {
		s.Namespaces.ElsewherePIDs, s.Tasks.IDs = true, census.Amount{}
	}, "may be passing"},
	{"numbers of the host", func(e *Evidence, s *census.Census) {
		s.Namespaces.InitialPIDs, s.Tasks.Count, s.Tasks.Max, s.User.Exempt = false, census.Known(32500), census.Known(90000), "root"
	}, "may be pid-max-unseen"},
	{"no user namespaces at all", func(e *Evidence, s *census.Census) {
		namespaced(e, "ENOSPC", newUsers)
		s.Namespaces.Max = map[string]census.Amount{"user": census.Known(0)}
	}, "is max-namespaces"},
	{"all network namespaces", func(e *Evidence, s *census.Census) {
		namespaced(e, "ENOSPC", 0x40000000)
		s.Namespaces.Max = map[string]census.Amount{"user": census.Known(0), "net": census.Known(9)}
	}, "may be max-namespaces"},
	{"namespaces that cannot be counted", func(e *Evidence, s *census.Census) { namespaced(e, "ENOSPC", newUsers) }, "may be max-namespaces"},
	{"PID namespaces too deep", func(e *Evidence, s *census.Census) {
		namespaced(e, "ENOSPC", 0x20000000)
		s.Namespaces.PIDDepth = 32
	}, "is namespace-depth"},
	{"a user namespace in a chroot", func(e *Evidence, s *census.Census) {
		namespaced(e, "EPERM", newUsers)
		s.Namespaces.Chroot, s.Capabilities = "/srv/jail", 1<<census.SysAdmin
	}, "is namespace-chroot"},
	{"user namespaces for root alone", func(e *Evidence, s *census.Census) {
		namespaced(e, "EPERM", newUsers)
		s.Namespaces.UsersAllowed = census.Known(0)
	}, "is namespace-privilege"},
	{"user namespaces that AppArmor restricts", func(e *Evidence, s *census.Census) {
		namespaced(e, "EACCES", newUsers)
		s.Namespaces.UsersRestricted = census.Known(1)
	}, "is namespace-apparmor"},
	{"a user namespace that a module refuses", func(e *Evidence, s *census.Census) { namespaced(e, "EACCES", newUsers) }, "may be security-module"},
	{"a user namespace that something refuses", func(e *Evidence, s *census.Census) { namespaced(e, "EPERM", newUsers) }, "may be namespace-privilege, may be security-module"},
	{"the namespace of others", func(e *Evidence, s *census.Census) {
		namespaced(e, "EPERM", 0)
		e.Failure.Call, s.Capabilities = "setns", 1<<census.SysAdmin
	}, "may be namespace-privilege"},
	{"a user namespace for many threads", func(e *Evidence, s *census.Census) { namespaced(e, "EINVAL", newUsers) }, "is namespace-threads"},
	{"a kernel without the namespace", func(e *Evidence, s *census.Census) { namespaced(e, "EINVAL", 0x02000000) }, "may be flags"},
	{"a group that takes no processes", func(e *Evidence, s *census.Census) {
		fail(e, "EBUSY", 16)
		e.Failure.Flags = intoCgroup
	}, "is into-cgroup"},
	{"a group of others", func(e *Evidence, s *census.Census) {
		fail(e, "EACCES", 13)
		e.Failure.Flags = intoCgroup
	}, "is into-cgroup"},
	{"a full group to go to", func(e *Evidence, s *census.Census) { e.Failure.Flags = intoCgroup }, "may be into-cgroup"},
	{"no descriptor for the process", func(e *Evidence, s *census.Census) {
		fail(e, "EMFILE", 24)
		s.Descriptors = census.Descriptors{Files: census.Limit{Soft: census.Known(20), Hard: census.Known(20)}, Open: census.Known(20)}
	}, "is rlimit-nofile"},
	{"a fork that overcommit refuses", func(e *Evidence, s *census.Census) {
		fail(e, "ENOMEM", 12)
		e.Failure.Want, e.Failure.Flags = Process, 17
		s.Memory.Overcommit, s.Space.Data, s.Memory.Committed = census.Known(2), census.Known(600<<20), census.Known(500<<20)
	}, "is overcommit"},
	{"what is kept back", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		s.Memory.Overcommit, s.Memory.Committed = census.Known(2), census.Known(1016<<20)
		s.Memory.AdminReserve, s.Memory.UserReserve = census.Known(8<<20), census.Known(128<<20)
	}, "is overcommit"},
	{"more than memory and swap", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		e.Failure.Call, e.Failure.Length = "mprotect", 9<<30
		s.Memory.Total, s.Memory.Swap = census.Known(4<<30), census.Known(1<<30)
	}, "is overcommit-heuristic"},
	{"more than memory, without a reserve", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		e.Failure.Length, e.Failure.Flags = 9<<30, 0x4022
		s.Memory.Total, s.Memory.Swap = census.Known(4<<30), census.Known(1<<30)
	}, "may be memory"},
	{"stacks as large as RLIMIT_STACK", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		e.Failure.Call, e.Failure.Length = "mprotect", 90<<30-4096
		s.Memory.Total, s.Memory.Swap, s.Space.Stack.Soft = census.Known(4<<30), census.Known(0), census.Known(90<<30)
	}, "is rlimit-stack, is overcommit-heuristic"},
	{"more than there are addresses", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		e.Failure.Length, e.Failure.Reserve = 1<<50, true
	}, "is address-space"},
	{"a guard page at max_map_count", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		e.Failure.Call, s.Space.Mappings = "mprotect", census.Known(65529)
	}, "is max-map-count"},
	{"addresses alone are no data", func(e *Evidence, s *census.Census) {
		mapping(e, "ENOMEM", 12)
		e.Failure.Reserve, s.Space.DataLimit.Soft, s.Space.Limit.Soft = true, census.Known(2<<20), census.Known(2<<20)
	}, "is rlimit-as"},
	{"memory that is to be locked", func(e *Evidence, s *census.Census) {
		mapping(e, "EPERM", 1)
		e.Failure.Flags |= 0x2000
	}, "may be memlock"},
	{"a fixed address", func(e *Evidence, s *census.Census) {
		mapping(e, "EPERM", 1)
		e.Failure.Flags |= 0x10
	}, "may be mmap-min-addr, may be security-module"},
	{"a filter that traps", func(e *Evidence, s *census.Census) { e.Failure.Trapped, s.User.Tasks = true, census.Known(1000) }, "is seccomp"},
	{"nothing is left but the kernel", func(e *Evidence, s *census.Census) {
		fail(e, "EPERM", 1)
		s.Modules = []string{"capability", "yama", "landlock"}
	}, "may be kernel-differs"},
	{"modules that cannot be seen", func(e *Evidence, s *census.Census) {
		fail(e, "EPERM", 1)
		s.Modules = nil
	}, "may be security-module"},
	{"a mapping that is not allowed", func(e *Evidence, s *census.Census) { mapping(e, "EACCES", 13) }, "may be security-module"},
}

func fail(e *Evidence, name string, errno int) { e.Failure.Name, e.Failure.Errno = name, errno }

func namespaced(e *Evidence, name string, flags uint64) {
	fail(e, name, 0)
	e.Failure.Call, e.Failure.Want, e.Failure.Flags = "unshare", Namespace, flags
}

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
		for _, l := range []language.Language{language.English, language.Chinese} {
			text := words.In(l)
			han := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
			if han != (l == language.Chinese) || strings.Contains(text, "%!") {
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

// TestARemedyWorksForWhoReadsIt fails if a command is refused to its reader, or goes to
// another place than the one where the limit is set.
func TestARemedyWorksForWhoReadsIt(t *testing.T) {
	used := func(soft, hard uint64) func(s *census.Census) {
		return func(s *census.Census) {
			s.User.Tasks, s.User.Processes = census.Known(soft), census.Limit{Soft: census.Known(soft), Hard: census.Known(hard)}
		}
	}
	inGroup := func(path string) func(s *census.Census) {
		return func(s *census.Census) {
			s.Groups.Pids = []census.PidsGroup{{Path: path, Version: 2, Max: census.Known(9), Current: census.Known(9)}}
		}
	}
	for _, c := range []struct {
		name, runtime string
		spoil         func(s *census.Census)
		want, never   string
	}{
		{"below the hard limit", "", used(30, 5000), "ulimit -Su 1024    # in the shell that starts it\n", "as root: the hard"},
		{"the hard limit is near", "", used(30, 30), "ulimit -u 1024    # in the shell that starts it, as root: the hard limit is 30\n", "-Su"},
		{"the hard limit leaves some room", "", used(30, 100), "ulimit -Su 100    # in the shell that starts it, up to the hard limit\n", "ulimit -u"},
		{"a login", "", used(30, 30), ":1000 - nproc 1024    # for logins by PAM", "systemctl"},
		{"a service", "", func(s *census.Census) {
			used(30, 30)(s)
			s.Groups.Pids = []census.PidsGroup{{Path: "/sys/fs/cgroup/system.slice/app.service"}}
		}, "systemctl edit app.service  # [Service] LimitNPROC=1024", "limits.conf"},
		{"a container", "podman", used(30, 30), "podman run --ulimit nproc=1024", "limits.conf"},
		{"a pod", "kubernetes", used(30, 30), "systemctl edit containerd.service", "limits.conf"},
		{"LXC", "lxc", used(30, 30), "lxc.prlimit.nproc = 1024", "limits.conf"},
		{"a group of LXC", "lxc", inGroup("/sys/fs/cgroup/lxc.payload.web/x"), "lxc-cgroup -n web pids.max 1024", "echo"},
		{"a user's own service", "", inGroup("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/app.service"),
			"systemctl --user set-property app.service TasksMax=1024", "echo"},
		{"the slice of a user", "", inGroup("/sys/fs/cgroup/user.slice/user-1000.slice"), "systemctl set-property user-1000.slice", "--user"},
		{"a unit that looks like an option", "", inGroup("/sys/fs/cgroup/-root.slice"), "systemctl set-property -- -root.slice", ""},
		{"a unit with an escape", "", inGroup(`/sys/fs/cgroup/system.slice/a\x2db.service`), `set-property 'a\x2db.service'`, ""},
		{"what is no name of a unit", "", inGroup("/sys/fs/cgroup/a b.service"), "echo 1024 > '/sys/fs/cgroup/a b.service/pids.max'", "systemctl"},
	} {
		e := roomy()
		e.State.Container = c.runtime
		e.State.Observer.User = 1000
		c.spoil(&e.State)
		var b strings.Builder
		if err := (Report{Causes: Judge(e)}).Write(&b, language.English, false); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), c.want) || c.never != "" && strings.Contains(b.String(), c.never) {
			t.Errorf("%s: %s\nwant %s", c.name, b.String(), c.want)
		}
	}
}

// TestNamesOfOthersStayNames fails if a name that somebody else chose becomes part of a
// command, or reaches a terminal as it is.
func TestNamesOfOthersStayNames(t *testing.T) {
	const name = "a;b $(c)\x1b[8m\u202e\u009b1m"
	group := "/sys/fs/cgroup/" + name
	e := roomy()
	s := &e.State
	s.Name, e.Failure.Program, e.Failure.Path, e.Failure.Call, e.Failure.Want = name, name, name, "execve", Execution
	s.User.Tasks, s.Namespaces.Chroot, s.Groups.Frozen = census.Known(1000), group, group
	s.Tasks.Dead = []census.Dead{{Parent: 60, Name: name, User: 1000, Count: 900}}
	frozen, _ := still(*s)
	thread := e
	thread.Failure.Want = Thread
	thread.State.Groups.Pids = []census.PidsGroup{{Path: group, Version: 2, Max: census.Known(9), Current: census.Known(9)}}
	memory := memoryGroup(*s, census.MemoryGroup{Path: group, Version: 2, Max: census.Known(9)}, Is)
	space := e
	namespaced(&space, "EPERM", newUsers)
	causes := append(append(append(Judge(e), Judge(thread)...), frozen, memory), Judge(space)...)
	r := Report{Verdict: "refused", Failure: &e.Failure, State: s, Causes: causes, Said: &fatal.Text{Line: name},
		Program: programOf(70, []string{name}, 0, true), Others: []Other{{Failure: &thread.Failure}, {Death: &Death{Program: name}}},
		Gaps: []Gap{{Reason: watch.SetUser, Detail: name}}, See: tools(func(string) bool { return true }, 70, []string{name})}
	r.explain(true, nil)
	for _, l := range []language.Language{language.English, language.Chinese} {
		for _, asJSON := range []bool{false, true} {
			var b strings.Builder
			if err := r.Write(&b, l, asJSON); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(c rune) bool { return !unicode.IsPrint(c) }) {
					t.Errorf("%s, JSON %t: %q", l, asJSON, line)
				}
			}
		}
		if strings.ContainsFunc(r.Explanation.In(l), func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("the text %q", r.Explanation.In(l))
		}
	}
	// Root gets no command, and the user of the group gets one with quotes.
	for _, reader := range []uint32{0, 1000} {
		thread.State.Observer.User = reader
		var echoed []string
		for _, c := range Judge(thread) {
			for _, r := range c.Raise {
				if strings.Contains(r.Command, "pids.max") {
					echoed = append(echoed, r.Command)
				}
			}
		}
		want := []string{`echo 1024 > $'/sys/fs/cgroup/a;b $(c)\033[8m\342\200\256\302\2331m/pids.max'`}
		if reader == 0 {
			want = nil
		}
		if !slices.Equal(echoed, want) {
			t.Errorf("user %d: %q, want %q", reader, echoed, want)
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
