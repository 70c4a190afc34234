package census

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// recorded is what a kernel shows of a service on a machine with systemd. It has only
// the files and lines that the census reads.
func recorded() fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"proc/70/status":         "Name:\tapp one\nState:\tS (sleeping)\nNSpid:\t70\nUid:\t1000\t0\t0\t0\nThreads:\t14\nVmSize:\t  200 kB\nVmData:\t  100 kB\nCapEff:\t0000000000000000\nSeccomp:\t2\nSeccomp_filters:\t3\n",
		"proc/1/status":          "Name:\tinit\nUid:\t0\t0\t0\t0\nThreads:\t1\n",
		"proc/80/status":         "Name:\tother\nUid:\t1000\t1000\t1000\t1000\nThreads:\t6\n",
		"proc/90/status":         "Name:\tlate\nUid:\t1001\t1001\t1001\t1001\nThreads:\t2\n",
		"proc/400/status":        "Name:\thigh\nUid:\t0\t0\t0\t0\nThreads:\t1\n",
		"proc/95/status":         "Name:\tdone\nState:\tZ (zombie)\nPPid:\t80\nTracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\nThreads:\t1\n",
		"proc/95/cgroup":         "0::/system.slice/app.service\n",
		"proc/96/status":         "Name:\ttraced\nState:\tZ (zombie)\nPPid:\t80\nTracerPid:\t70\nUid:\t1001\t0\t0\t0\nThreads:\t1\n",
		"proc/self/cgroup":       "0::/user.slice\n",
		"proc/self/status":       "Name:\tmapstack\nUid:\t0\t0\t0\t0\nThreads:\t9\nCapEff:\t000001ffffffffff\n",
		"proc/70/limits":         "Limit                     Soft Limit           Hard Limit           Units     \nMax data size             unlimited            unlimited            bytes     \nMax stack size            8388608              unlimited            bytes     \nMax open files            1024                 4096                 files     \nMax processes             20                   4096                 processes \nMax address space         1048576              unlimited            bytes     \n",
		"proc/70/task/71/stat":   "71 (a) b) R " + strings.Repeat("0 ", 37) + "6 0 0\n",
		"proc/70/task/71/cgroup": "0::/system.slice/app.service/sub\n",
		"proc/70/maps":           "1-2 r--p\n2-3 rw-p [heap]\nf-g --xp [vsyscall]\n",
		"proc/self/mountinfo":    "22 1 0:21 / /proc rw - proc proc rw\n30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
		"proc/meminfo":           "MemTotal:  9 kB\nSwapTotal:  2 kB\nMemAvailable:  5 kB\nCommitLimit: 7 kB\nCommitted_AS:  6 kB\n",
		"proc/loadavg":           "0.00 0.01 0.05 1/345 999\n",

		"proc/vmstat":  "nr_free_pages 3\noom_kill 4\n",
		"proc/70/fd/0": "",
		"proc/70/fd/1": "",

		"proc/sys/kernel/osrelease":         "6.1.0-50-amd64\n",
		"proc/sys/kernel/threads-max":       "5000\n",
		"proc/sys/vm/admin_reserve_kbytes":  "8192\n",
		"proc/sys/vm/user_reserve_kbytes":   "131072\n",
		"proc/sys/user/max_user_namespaces": "900\n",
		"sys/kernel/security/lsm":           "capability,yama\n",
		"proc/sys/kernel/pid_max":           "4194304\n",
		"proc/sys/vm/max_map_count":         "65530\n",
		"proc/sys/vm/overcommit_memory":     "0\n",

		"sys/fs/cgroup/system.slice/app.service/sub/pids.max":     "max\n",
		"sys/fs/cgroup/system.slice/app.service/sub/pids.current": "14\n",
		"sys/fs/cgroup/system.slice/app.service/sub/pids.events":  "max 0\n",
		"sys/fs/cgroup/system.slice/app.service/pids.max":         "14\n",
		"sys/fs/cgroup/system.slice/app.service/pids.current":     "14\n",
		"sys/fs/cgroup/system.slice/app.service/pids.events":      "max 20\n",
		"sys/fs/cgroup/system.slice/app.service/memory.max":       "1000000\n",
		"sys/fs/cgroup/system.slice/app.service/memory.current":   "9000\n",
		"sys/fs/cgroup/system.slice/app.service/memory.events":    "low 0\nmax 3\noom 2\noom_kill 1\n",
	} {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree["proc/70/task/71/status"] = tree["proc/70/status"]
	for name, to := range map[string]string{
		"ns/user": firstUsers, "ns/pid": firstPIDs, "ns/pid_for_children": firstPIDs,
		"ns/time": "time:[1]", "ns/time_for_children": "time:[1]",
	} {
		link(tree, name, to)
	}
	return tree
}

func link(tree fstest.MapFS, name, to string) {
	tree["proc/70/task/71/"+name] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte(to)}
}

func put(tree fstest.MapFS, name, text string) { tree[name] = &fstest.MapFile{Data: []byte(text)} }

func take(t *testing.T, tree fs.FS) Census {
	t.Helper()
	c, err := Take(tree, 70, 71)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryLimitIsRead(t *testing.T) {
	c := take(t, recorded())
	unlimited := Amount{State: Unlimited}
	want := Census{
		Thread: Thread{PID: 70, TID: 71, Name: "app one", State: "S", Threads: Known(14)},
		User:   User{ID: 1000, Processes: Limit{Known(20), Known(4096)}, Tasks: Known(21)},
		Groups: Groups{
			Pids: []PidsGroup{
				{Path: "/sys/fs/cgroup/system.slice/app.service/sub", Version: 2, Max: unlimited, Current: Known(14), Refused: Known(0)},
				{Path: "/sys/fs/cgroup/system.slice/app.service", Version: 2, Max: Known(14), Current: Known(14), Refused: Known(20)},
			},
			Memory: []MemoryGroup{{Path: "/sys/fs/cgroup/system.slice/app.service", Version: 2,
				Max: Known(1000000), Current: Known(9000), Hits: Known(3), Killed: Known(1)}},
		},
		Tasks: Tasks{Max: Known(5000), Count: Known(345), PIDMax: Known(4194304), IDs: Known(20),
			Dead: []Dead{{Parent: 80, Name: "other", User: 1000, Group: "/sys/fs/cgroup/system.slice/app.service", Count: 1}}},
		Space: Space{
			Limit: Limit{Known(1 << 20), unlimited}, Size: Known(200 << 10),
			DataLimit: Limit{unlimited, unlimited}, Data: Known(100 << 10),
			Stack:       Limit{Known(8 << 20), unlimited},
			MaxMappings: Known(65530), Mappings: Known(2),
		},
		Descriptors: Descriptors{Files: Limit{Known(1024), Known(4096)}, Open: Known(2)},
		Memory: Memory{Overcommit: Known(0), CommitLimit: Known(7 << 10), Committed: Known(6 << 10), Available: Known(5 << 10),
			Total: Known(9 << 10), Swap: Known(2 << 10), AdminReserve: Known(8 << 20), UserReserve: Known(128 << 20), OOMKilled: Known(4)},
		Seccomp:    Seccomp{Mode: Known(2), Filters: Known(3)},
		Policy:     Known(Deadline),
		Namespaces: Namespaces{InitialPIDs: true, InitialUsers: true, PIDDepth: 1, Max: map[string]Amount{"user": Known(900)}},
		Kernel:     "6.1.0-50-amd64",
		Modules:    []string{"capability", "yama"},
		Observer:   Observer{Tasks: Known(9), Group: "/sys/fs/cgroup/user.slice", SeesAll: true},
	}
	// 26 tasks are listed. Of these 1, 70, 80, 90, 95 and 96 have numbers below Reserved.
	got, _ := json.MarshalIndent(c, "", " ")
	expected, _ := json.MarshalIndent(want, "", " ")
	if string(got) != string(expected) {
		t.Errorf("got %s\nwant %s", got, expected)
	}
}

// TestWhoIsNotLimitedIsKnown fails if RLIMIT_NPROC is thought to hold for root, or
// not to hold for root of a user namespace.
func TestWhoIsNotLimitedIsKnown(t *testing.T) {
	for _, c := range []struct{ name, uid, caps, users, uidMap, want string }{
		{"a user", "1000", "0", firstUsers, "", ""},
		{"root without capabilities", "0", "0", firstUsers, "", "root"},
		{"a user with CAP_SYS_RESOURCE", "1000", "0000000001000000", firstUsers, "", "CAP_SYS_RESOURCE"},
		{"a user with CAP_SYS_ADMIN", "1000", "0000000000200000", firstUsers, "", "CAP_SYS_ADMIN"},
		{"root of a user's namespace", "0", "000001ffffffffff", "user:[4026532000]", "         0       1000          1", ""},
		{"root of root's namespace", "0", "000001ffffffffff", "user:[4026532000]", "         0          0 4294967295", "root"},
		{"a capable user of a namespace", "5", "000001ffffffffff", "user:[4026532000]", "         0          0 4294967295", ""},
	} {
		tree := recorded()
		put(tree, "proc/70/task/71/status", "Uid:\t"+c.uid+"\t0\t0\t0\nCapEff:\t"+c.caps+"\n")
		put(tree, "proc/70/uid_map", c.uidMap+"\n")
		link(tree, "ns/user", c.users)
		if got := take(t, tree).User.Exempt; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestGroupsAreFoundWhereverTheyAreMounted fails if the layout of a host or of a
// container, with either version, hides a group.
func TestGroupsAreFoundWhereverTheyAreMounted(t *testing.T) {
	for _, c := range []struct {
		name, cgroup, mounts, file, want string
		above                            bool
	}{
		{"version 1", "8:pids:/a/b\n4:cpu,memory:/\n0::/\n", "1 1 0:1 / /cg/pids rw - cgroup cgroup rw,pids\n1 1 0:1 / /cg/unified rw - cgroup2 x rw\n",
			"cg/pids/a/pids.max", "/cg/pids/a v1", false},
		{"docker with version 1", "8:pids:/docker/f00\n", "1 1 0:1 /docker/f00 /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
			"sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids v1", true},
		{"a cgroup namespace", "0::/\n", "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
			"sys/fs/cgroup/pids.max", "/sys/fs/cgroup v2", true},
		{"outside of the namespace", "0::/../other\n", "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
			"sys/fs/cgroup/pids.max", "", false},
		{"nothing mounted", "0::/a\n", "\n", "x", "", false},
	} {
		tree := recorded()
		put(tree, "proc/70/task/71/cgroup", c.cgroup)
		put(tree, "proc/self/mountinfo", c.mounts)
		put(tree, c.file, "9\n")
		var got []string
		census := take(t, tree)
		for _, g := range census.Groups.Pids {
			got = append(got, fmt.Sprintf("%s v%d", g.Path, g.Version))
		}
		if strings.Join(got, ",") != c.want || census.Groups.Hidden != c.above {
			t.Errorf("%s: %q, above %t; unknown %v", c.name, got, census.Groups.Hidden, census.Unknown)
		}
		if _, told := census.Unknown["pids"]; told != (c.want == "") {
			t.Errorf("%s: unknown %v", c.name, census.Unknown)
		}
	}
}

func TestAnotherNamespaceOfChildrenIsSeen(t *testing.T) {
	tree := recorded()
	link(tree, "ns/pid_for_children", "pid:[4026532001]")
	if !take(t, tree).Namespaces.ChildPIDs {
		t.Error("pid_for_children is not seen")
	}
	delete(tree, "proc/70/task/71/ns/pid_for_children") // nobody is in it yet
	if !take(t, tree).Namespaces.ChildPIDs {
		t.Error("a namespace without a first process is not seen")
	}
	link(tree, "ns/time_for_children", "time:[2]")
	if !take(t, tree).Namespaces.ChildTime {
		t.Error("time_for_children is not seen")
	}
}

// TestWhatCannotBeReadIsSaid fails if a missing file is taken for a number, or ends
// the diagnosis.
func TestWhatCannotBeReadIsSaid(t *testing.T) {
	for name := range maps.Clone(recorded()) {
		tree := recorded()
		delete(tree, name)
		c, err := Take(tree, 70, 71)
		if name == "proc/70/task/71/status" {
			if err == nil {
				t.Error("a thread without a status is no error")
			}
			continue
		}
		if err != nil {
			t.Errorf("without %s: %v", name, err)
		}
		// These may be missing: namespaces, other programs, and files of groups without
		// a limit.
		quiet := []string{"/ns/", "/status", "pids.max", "memory.max", "/fd/", "proc/95/", "proc/self/cgroup"}
		if len(c.Unknown) == 0 && !slices.ContainsFunc(quiet, func(s string) bool { return strings.Contains(name, s) }) {
			t.Errorf("without %s nothing is unknown", name)
		}
	}
}

// TestWhatIsHiddenIsNotUnused fails if tasks or groups that cannot be seen from here are
// taken for tasks or groups that are not there.
func TestWhatIsHiddenIsNotUnused(t *testing.T) {
	self := func(uid string) string { return "Uid:\t" + uid + "\t0\t0\t0\nThreads:\t9\nCapEff:\t0\n" }
	mounts := "22 1 0:21 / /proc rw - proc proc rw,hidepid=%s\n30 1 0:26 %s /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	for _, c := range []struct {
		name              string
		spoil             func(tree fstest.MapFS)
		user, ids, unseen string
	}{
		{"nothing is hidden", func(tree fstest.MapFS) {}, "21", "20", ""},
		{"hidepid, the same user", func(tree fstest.MapFS) {
			put(tree, "proc/self/status", self("1000"))
			put(tree, "proc/self/mountinfo", fmt.Sprintf(mounts, "invisible", "/"))
		}, "21", "?", ""},
		{"hidepid, another user", func(tree fstest.MapFS) {
			put(tree, "proc/self/status", self("1001"))
			put(tree, "proc/self/mountinfo", fmt.Sprintf(mounts, "2", "/"))
		}, "?", "?", ""},
		{"hidepid, root", func(tree fstest.MapFS) { put(tree, "proc/self/mountinfo", fmt.Sprintf(mounts, "1", "/")) }, "21", "20", ""},
		{"hidepid is off", func(tree fstest.MapFS) {
			put(tree, "proc/self/status", self("1001"))
			put(tree, "proc/self/mountinfo", fmt.Sprintf(mounts, "off", "/"))
		}, "21", "20", ""},
		{"another cgroup namespace", func(tree fstest.MapFS) { put(tree, "proc/self/mountinfo", fmt.Sprintf(mounts, "0", "/../..")) }, "21", "20", "another cgroup namespace"},
		{"no groups are mounted", func(tree fstest.MapFS) { put(tree, "proc/self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n") }, "21", "20", "not mounted"},
		{"a kernel without groups", func(tree fstest.MapFS) { delete(tree, "proc/70/task/71/cgroup") }, "21", "20", ""},
		{"another PID namespace", func(tree fstest.MapFS) {
			tree["proc/self/ns/pid"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("pid:[4026531999]")}
		}, "21", "?", ""},
	} {
		tree := recorded()
		c.spoil(tree)
		got := take(t, tree)
		if got.User.Tasks.String() != c.user || got.Tasks.IDs.String() != c.ids || string(got.Groups.Unseen) != c.unseen {
			t.Errorf("%s: %s tasks of the user, %s numbers, groups %q; unknown %v", c.name, got.User.Tasks, got.Tasks.IDs, got.Groups.Unseen, got.Unknown)
		}
	}
	if _, err := Take(fstest.MapFS{"tmp/x": {}}, 70, 71); !errors.Is(err, ErrNoProc) {
		t.Errorf("without /proc: %v", err)
	}
}

// TestAFrozenGroupIsFound fails if a group that stands still is missed, in either version.
func TestAFrozenGroupIsFound(t *testing.T) {
	two := recorded()
	put(two, "sys/fs/cgroup/system.slice/app.service/sub/cgroup.freeze", "0\n")
	put(two, "sys/fs/cgroup/system.slice/app.service/cgroup.freeze", "1\n")
	one := recorded()
	put(one, "proc/70/task/71/cgroup", "6:freezer:/a/b\n8:pids:/\n")
	put(one, "proc/self/mountinfo", "1 1 0:1 / /cg/freezer rw - cgroup cgroup rw,freezer\n1 1 0:1 / /cg/pids rw - cgroup cgroup rw,pids\n")
	put(one, "cg/freezer/a/b/freezer.self_freezing", "0\n")
	put(one, "cg/freezer/a/freezer.self_freezing", "1\n")
	for _, c := range []struct {
		tree fstest.MapFS
		want string
	}{{recorded(), ""}, {two, "/sys/fs/cgroup/system.slice/app.service"}, {one, "/cg/freezer/a"}} {
		if got := take(t, c.tree).Groups.Frozen; got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestTheDeadAreCountedByParent fails if a process that nobody waits for is not told
// apart, or one that is about to be waited for is counted.
func TestTheDeadAreCountedByParent(t *testing.T) {
	tree := recorded()
	for i := range 40 {
		parent := 80
		if i%4 == 0 {
			parent = 1000 + i
		}
		put(tree, fmt.Sprintf("proc/%d/status", 500+i), fmt.Sprintf("Name:\tx\nState:\tZ (zombie)\nPPid:\t%d\nUid:\t1000\nThreads:\t1\n", parent))
	}
	dead := take(t, tree).Tasks.Dead
	if len(dead) != 12 || dead[0].Parent != 80 || dead[0].Name != "other" || dead[0].Count != 30 || dead[0].Group != "" {
		t.Errorf("%+v", dead)
	}
}

// TestTheDeadCountInTheirParentsGroup fails if a process that has ended is counted in the
// highest group, which version 1 shows for all of them.
func TestTheDeadCountInTheirParentsGroup(t *testing.T) {
	tree := recorded()
	put(tree, "proc/self/mountinfo", "1 1 0:1 / /cg/pids rw - cgroup cgroup rw,pids\n")
	put(tree, "proc/95/cgroup", "8:pids:/\n")
	put(tree, "proc/80/cgroup", "8:pids:/a/b\n")
	if dead := take(t, tree).Tasks.Dead; len(dead) != 1 || dead[0].Group != "/cg/pids/a/b" || !dead[0].Below("/cg/pids/a") || dead[0].Below("/cg/pids/a/bc") {
		t.Errorf("%+v", dead)
	}
}

func TestTheRootOfAProgramIsSeen(t *testing.T) {
	tree := recorded()
	tree["proc/70/root"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("/srv/jail")}
	if got := take(t, tree).Namespaces.Chroot; got != "/srv/jail" {
		t.Errorf("%q", got)
	}
}

func TestThisMachineCanBeRead(t *testing.T) {
	c, err := Take(os.DirFS("/"), os.Getpid(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if c.Threads.N < 1 || c.User.Tasks.N < c.Threads.N || c.Tasks.Max.N < 1 || c.Space.Mappings.N < 3 || c.User.ID != uint32(os.Getuid()) {
		t.Errorf("%+v", c)
	}
}

// FuzzTake fails if a file that is not as the kernel writes it crashes or hangs the
// diagnosis.
func FuzzTake(f *testing.F) {
	for name, file := range recorded() {
		f.Add(name, file.Data)
	}
	// The way up from a group once missed this mount point, and never ended.
	f.Add("proc/self/mountinfo", []byte("30 1 0:26 / x/ rw - cgroup2 cgroup rw\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		tree := recorded()
		if old := tree[name]; old == nil || old.Mode != 0 {
			return
		}
		put(tree, name, string(data))
		c, err := Take(tree, 70, 71)
		if err != nil {
			return
		}
		if _, err := json.Marshal(c); err != nil {
			t.Error(err)
		}
	})
}

// TestTheGroupTellsTheRuntime fails if a container that is watched from another one, or
// from a machine that is itself a container, is taken for one of the wrong runtime.
func TestTheGroupTellsTheRuntime(t *testing.T) {
	here := fstest.MapFS{".dockerenv": {}}
	for group, want := range map[string]string{"/sys/fs/cgroup/machine.slice/libpod-0123456789ab.scope": "podman", "/sys/fs/cgroup/init": "docker"} {
		if got := container(here, []PidsGroup{{Path: group}}); got != want {
			t.Errorf("%s: %q, want %q", group, got, want)
		}
	}
}
