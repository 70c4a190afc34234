package diagnose

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/poc/abi"
)

// invalid is EINVAL of amd64, full ENOSPC, taken EEXIST.
const invalid, full28, taken = 22, 28, 17

// call makes an attempt of process 70.
func call(name string, flags uint64, errno int) watch.Attempt {
	return watch.Attempt{Call: name, PID: 70, TID: 71, Flags: flags, Errno: errno, Args: [6]uint64{0, leastCloneArgs, 1}}
}

// killed is the death of a process by a signal.
func killed(pid int, s syscall.Signal) watch.Death {
	return watch.Death{PID: pid, Status: syscall.WaitStatus(s)}
}

// summary tells a report in a few words: what it is about, and then the others.
func summary(r Report) string {
	words := []string{r.Verdict}
	switch {
	case r.Failure != nil:
		words = append(words, r.Failure.Call, r.Failure.Name)
	case len(r.Causes) > 0:
		words = append(words, r.Causes[0].ID)
	}
	for _, o := range r.Others {
		if o.Death != nil {
			words = append(words, "+death")
		} else {
			words = append(words, "+"+o.Failure.Call)
		}
	}
	return strings.Join(words, " ")
}

// TestTheStoryIsThatOfTheEnd fails if something that the program came past is told in
// place of what ended it, or if a program that failed is told to have recovered.
func TestTheStoryIsThatOfTheEnd(t *testing.T) {
	const limit = "runtime: program exceeds 14-thread limit\n"
	stack := call("mprotect", 3, nomem)
	for _, c := range []struct {
		name   string
		events func(j *journal)
		status syscall.WaitStatus
		want   string
	}{
		{"a probe, then a limit", func(j *journal) {
			j.Attempt(call("clone3", 1<<63, invalid), watch.Thread{})
			j.Attempt(call("clone3", goThread, again), watch.Thread{})
		}, exited(3), "refused clone3 EAGAIN +clone3"},
		{"only a probe", func(j *journal) {
			a := call("clone3", 0, invalid)
			a.Args[1] = 1
			j.Attempt(a, watch.Thread{})
		}, exited(0), "fine"},
		{"an address that cannot be read", func(j *journal) { j.Attempt(call("clone3", 0, 14), watch.Thread{}) }, exited(0), "fine"},
		{"recovered, then the runtime's own limit", func(j *journal) {
			j.Attempt(clone(again), watch.Thread{})
			j.Attempt(clone(0), watch.Thread{})
			j.Wrote(70, []byte(limit))
		}, exited(2), "refused go-max-threads +clone"},
		{"recovered, and failed", func(j *journal) {
			j.Attempt(clone(again), watch.Thread{})
			j.Attempt(clone(0), watch.Thread{})
		}, exited(8), "refused clone EAGAIN"},
		{"recovered, and ended by its user", func(j *journal) {
			j.Attempt(clone(again), watch.Thread{})
			j.Attempt(clone(0), watch.Thread{})
		}, exited(128 + 15), "recovered clone EAGAIN"},
		{"memory, and failed", func(j *journal) { j.Attempt(stack, watch.Thread{}) }, exited(3), "refused mprotect ENOMEM"},
		{"memory, and did well", func(j *journal) { j.Attempt(stack, watch.Thread{}) }, exited(0), "fine +mprotect"},
		{"memory long before it failed", func(j *journal) {
			j.Attempt(stack, watch.Thread{})
			later := j.now().Add(time.Minute)
			j.now = func() time.Time { return later }
		}, exited(3), "fine +mprotect"},
		{"two calls, then a success", func(j *journal) {
			j.Attempt(call("clone3", goThread, again), watch.Thread{})
			j.Attempt(clone(again), watch.Thread{})
			j.Attempt(clone(0), watch.Thread{})
		}, exited(0), "recovered clone EAGAIN +clone3"},
		{"memory by two calls in turn", func(j *journal) {
			for range 9 {
				j.Attempt(call("mmap", 0x22, nomem), watch.Thread{})
				j.Attempt(call("brk", 0, nomem), watch.Thread{})
			}
		}, exited(1), "refused brk ENOMEM +mmap"},
		{"a thread that a filter ends, then its user", func(j *journal) {
			d := killed(70, syscall.SIGSYS)
			d.TID = 71
			j.Died(d, watch.Thread{})
			j.Died(killed(70, syscall.SIGTERM), watch.Thread{})
		}, syscall.WaitStatus(syscall.SIGTERM), "refused seccomp-kill-thread"},
		{"a place that is taken", func(j *journal) { j.Attempt(call("mmap", 0x100022, taken), watch.Thread{}) }, exited(1), "fine"},
		{"a file that cannot be mapped", func(j *journal) { j.Attempt(call("mmap", 2, 13), watch.Thread{}) }, exited(1), "fine"},
		{"a stack, then a smaller one", func(j *journal) {
			j.Attempt(call("mmap", 0x20022, nomem), watch.Thread{})
			j.Attempt(clone(0), watch.Thread{})
		}, exited(0), "fine +mmap"},
		{"a C library's words for a stack", func(j *journal) {
			j.Attempt(stack, watch.Thread{})
			j.Wrote(70, []byte("runtime/cgo: pthread_create failed: Resource temporarily unavailable\n"))
		}, exited(2), "refused mprotect ENOMEM"},
		{"a sandbox that does without", func(j *journal) { j.Attempt(call("clone", newUsers|17, full28), watch.Thread{}) }, exited(0), "recovered clone ENOSPC"},
		{"a sandbox that does not", func(j *journal) { j.Attempt(call("unshare", newUsers, full28), watch.Thread{}) }, exited(6), "refused unshare ENOSPC"},
		{"a search for a program", func(j *journal) {
			j.Attempt(call("execve", 0, 2), watch.Thread{})
			j.Attempt(call("execve", 0, 13), watch.Thread{})
		}, exited(127), "fine"},
		{"execve after a change of user", func(j *journal) { j.Attempt(call("execve", 0, again), watch.Thread{}) }, exited(126), "refused execve EAGAIN"},
		{"a child that a filter ends", func(j *journal) { j.Died(killed(80, syscall.SIGSYS), watch.Thread{}) }, exited(0), "refused seccomp-kill"},
		{"a child that its parent ends", func(j *journal) { j.Died(killed(80, syscall.SIGKILL), watch.Thread{}) }, exited(0), "fine"},
		{"a thread that a filter ends", func(j *journal) {
			d := killed(70, syscall.SIGSYS)
			d.TID = 71
			j.Died(d, watch.Thread{})
		}, syscall.WaitStatus(syscall.SIGTERM), "refused seccomp-kill-thread"},
		{"a child, then the program itself", func(j *journal) {
			j.Died(killed(80, syscall.SIGSYS), watch.Thread{})
			j.Attempt(clone(again), watch.Thread{})
		}, exited(3), "refused clone EAGAIN +death"},
		{"words of a program with more threads than this one", func(j *journal) {
			j.Wrote(70, []byte("runtime: program exceeds 10000-thread limit\n"))
		}, exited(2), "refused elsewhere"},
		{"words that a parent passes on", func(j *journal) {
			a := clone(again)
			a.PID, a.TID = 80, 80
			j.Attempt(a, watch.Thread{})
			j.Wrote(70, []byte("app: runtime: failed to create new OS thread (have 14 already; errno=11)\n"))
		}, exited(2), "refused clone EAGAIN"},
	} {
		d := keeper(t)
		c.events(d.journal)
		d.journal.end(c.status)
		if got := summary(d.reportOf(c.status, true)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestWhoSetALimitIsTold fails if a program that lowers its own limit is told to have it
// raised in the shell, and nothing more.
func TestWhoSetALimitIsTold(t *testing.T) {
	d := keeper(t)
	root := d.Root.(fstest.MapFS)
	root["proc/70/limits"] = &fstest.MapFile{Data: []byte("Max processes  14  14 processes \n")}
	root["proc/70/comm"] = &fstest.MapFile{Data: []byte("app\n")}
	d.journal.Attempt(watch.Attempt{Call: "prlimit64", PID: 70, TID: 71, Limit: 6, Soft: 14, Hard: 14}, watch.Thread{})
	d.journal.Attempt(clone(again), watch.Thread{})
	r := d.reportOf(exited(2), true)
	if r.Causes[0].ID != "rlimit-nproc" || !strings.Contains(r.Explanation.English, "process 70 (app) set this limit") {
		t.Errorf("%+v", r)
	}
}

// TestOnlyMemoryThatCanBeWrittenIsData fails if addresses without memory count against
// RLIMIT_DATA, or if the arguments of a call that passes them by pointer are misread.
func TestOnlyMemoryThatCanBeWrittenIsData(t *testing.T) {
	mmap := func(abi string, number, protection uint64) watch.Attempt {
		return watch.Attempt{Call: "mmap", ABI: abi, Number: number, Args: [6]uint64{0, 4096, protection}}
	}
	for _, c := range []struct {
		arch string
		a    watch.Attempt
		want bool
	}{
		{"amd64", mmap("", 9, 3), false}, {"amd64", mmap("", 9, 0), true}, {"amd64", mmap("", 9, 5), true},
		{"amd64", mmap("386", 192, 0), true}, {"amd64", mmap("386", 90, 0), false}, {"s390x", mmap("", 90, 0), false},
		{"amd64", watch.Attempt{Call: "mprotect", Flags: 3}, false}, {"amd64", watch.Attempt{Call: "mprotect"}, true},
		{"amd64", watch.Attempt{Call: "brk"}, false},
	} {
		kernel, _ := abi.Lookup(c.arch)
		if got := newJournal(fstest.MapFS{}, kernel, nil).reserves(c.a); got != c.want {
			t.Errorf("%s %+v: %t", c.arch, c.a, got)
		}
	}
}

// TestALaterStoryIsToldAsWell fails if the first report is the last one, or is repeated.
func TestALaterStoryIsToldAsWell(t *testing.T) {
	d := keeper(t)
	var told []string
	d.Tell = func(r Report) error {
		told = append(told, fmt.Sprintf("%s %t", summary(r), r.Again))
		return nil
	}
	d.journal.Attempt(call("clone3", 1<<63, invalid), watch.Thread{})
	d.tell(false)
	d.tell(false)
	d.journal.Attempt(clone(again), watch.Thread{})
	d.tell(false)
	d.ended(exited(2))
	want := "refused clone3 EINVAL false, refused clone EAGAIN +clone3 false, refused clone EAGAIN +clone3 true"
	if got := strings.Join(told, ", "); got != want || d.verdict != "refused" {
		t.Errorf("%s: %s, want %s", d.verdict, got, want)
	}
}

// TestWordsAmongMoreRefusalsAreStillQuoted fails if other threads that are refused after
// the words make the report forget them, or tell them to be another program's.
func TestWordsAmongMoreRefusalsAreStillQuoted(t *testing.T) {
	for _, last := range []int{again, 0} {
		d := keeper(t)
		d.journal.Attempt(clone(again), watch.Thread{})
		d.journal.Wrote(70, []byte("runtime: failed to create new OS thread (have 14 already; errno=11)\n"))
		d.journal.Attempt(clone(again), watch.Thread{})
		d.journal.Attempt(clone(last), watch.Thread{})
		if r := d.reportOf(exited(2), true); r.Failure == nil || r.Said == nil || summary(r) != "refused clone EAGAIN" {
			t.Errorf("%d: %s", last, r.Explanation.English)
		}
	}
}

// TestTheOOMKillerIsToldFromOthers fails if a program that its user killed passes for one
// that the machine had no memory for.
func TestTheOOMKillerIsToldFromOthers(t *testing.T) {
	const log = "<3>[1.0] Memory cgroup out of memory: Killed process 71 (x) total-vm:1kB\n<3>[2.0] Out of memory: Killed process 70 (app) total-vm:1kB\n"
	for _, c := range []struct {
		name, before, after, log string
		sender                   int
		want                     string
	}{
		{"another's kill", "oom_kill 3\n", "oom_kill 3\n", log, 0, "fine"},
		{"a kill by a process", "oom_kill 3\n", "oom_kill 4\n", log, 99, "fine"},
		{"a kill that the log names", "oom_kill 3\n", "oom_kill 4\n", log, 0, "refused oom is"},
		{"a kill of the same moment", "oom_kill 3\n", "oom_kill 4\n", "", 0, "refused oom may be"},
		{"a group that the log names", "oom_kill 3\n", "oom_kill 4\n",
			"<6>[1.0] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/moved,task_memcg=/moved/x,task=app,pid=70,uid=0\n", 0, "refused cgroup-memory is"},
		{"an old kernel's words for a group", "oom_kill 3\n", "oom_kill 4\n", "[1.0] Memory cgroup out of memory: Kill process 70 (app) score 9\n", 0, "refused cgroup-memory is"},
	} {
		d := keeper(t)
		root := d.Root.(fstest.MapFS)
		root["proc/vmstat"] = &fstest.MapFile{Data: []byte(c.before)}
		d.journal.Started(70)
		d.journal.log = func() string { return c.log }
		root["proc/vmstat"] = &fstest.MapFile{Data: []byte(c.after)}
		death := killed(70, syscall.SIGKILL)
		death.Sender = c.sender
		d.journal.Died(death, watch.Thread{})
		r := d.reportOf(syscall.WaitStatus(syscall.SIGKILL), true)
		got := summary(r)
		if len(r.Causes) > 0 {
			got += " " + string(r.Causes[0].Certainty)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTheCallOfAFilterIsFound fails if the kernel's log names the call that a filter ended
// a program at, and the report does not.
func TestTheCallOfAFilterIsFound(t *testing.T) {
	const line = "<5>[26.1] audit: type=1326 audit(1.2:38): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=70 comm=\"app\" exe=\"/bin/app\" sig=31 arch=c000003e syscall=%d compat=%d ip=0x7f code=0x80000000\n"
	for _, c := range []struct{ log, want string }{
		{fmt.Sprintf(line, 435, 0), "ended it at clone3 with"},
		{fmt.Sprintf(line, 39999, 0), "ended it at system call 39999 with"},
		{fmt.Sprintf(line, 120, 1), "ended it with"}, // a number of another ABI
		{strings.Replace(fmt.Sprintf(line, 435, 0), "pid=70", "pid=7", 1), "ended it with"},
		{"", "ended it with"},
	} {
		d := keeper(t)
		d.journal.log = func() string { return c.log }
		d.journal.Died(killed(70, syscall.SIGSYS), watch.Thread{})
		if got := d.reportOf(syscall.WaitStatus(syscall.SIGSYS), true).Explanation.English; !strings.Contains(got, c.want) {
			t.Errorf("%q: %s", c.log, got)
		}
	}
}

func FuzzLoggedKill(f *testing.F) {
	f.Add("audit: type=1326 audit(1.2:38): uid=0 pid=70 comm=\"app\" sig=31 arch=c000003e syscall=435 compat=0 ip=0x7f\n", 70)
	f.Add("oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/a,task_memcg=/a/b,task=app,pid=70,uid=0\n", 70)
	f.Add("Out of memory: Killed process 70 (app)\n", 70)
	f.Fuzz(func(t *testing.T, log string, pid int) {
		if k, logged := loggedKill(log, pid); !logged && k.group != "" {
			t.Errorf("%q: group %q of a process that is not there", log, k.group)
		}
		if n, logged := filteredCall(log, pid); !logged && n != 0 {
			t.Errorf("%q: call %d of a process that is not there", log, n)
		}
	})
}

// TestTheWatchsFilterIsNotThePrograms fails if the filter that stops a program for its
// tracer passes for one that may refuse a thread.
func TestTheWatchsFilterIsNotThePrograms(t *testing.T) {
	for installed, want := range map[int]string{0: "0 0", 1: "2 1"} {
		d := keeper(t)
		status := "Name:\tapp\nUid:\t1000\t0\t0\t0\nThreads:\t14\nSeccomp:\t2\nSeccomp_filters:\t2\n"
		d.Root.(fstest.MapFS)["proc/70/task/71/status"] = &fstest.MapFile{Data: []byte(status)}
		d.journal.clean = true
		for range installed {
			d.journal.Attempt(call("seccomp", 0, 0), watch.Thread{})
		}
		d.journal.Attempt(clone(again), watch.Thread{})
		s := d.reportOf(exited(2), true).State.Seccomp
		if got := fmt.Sprint(s.Mode, " ", s.Filters); got != want {
			t.Errorf("%d installed: %s, want %s", installed, got, want)
		}
	}
}

// TestWhatWasNotWatchedIsSaid fails if the report promises more than was seen.
func TestWhatWasNotWatchedIsSaid(t *testing.T) {
	for reason, want := range map[watch.Reason]string{
		watch.ForeignABI: "not watched", watch.Before: "not watched", watch.Left: "goes on, and is no longer watched",
		watch.Kept: "watches it to its end", watch.Untraced: "not watched", watch.SetUser: "setuid", watch.Tracer: "ptrace",
		watch.Unreadable: "chmod o+r", watch.Lost: "could not be read",
	} {
		d := keeper(t)
		d.journal.Unwatched(watch.Gap{PID: 80, Reason: reason, Detail: "x"})
		r := d.reportOf(exited(0), true)
		whole := strings.Contains(r.Explanation.English, "process was refused. ")
		if r.Verdict != "fine" || !strings.Contains(r.Explanation.English, want) || whole == blind(r.Gaps) {
			t.Errorf("%s: %s", reason, r.Explanation.English)
		}
	}
	d := keeper(t)
	d.command = []string{"/usr/bin/docker", "run", "x"}
	for range 2 {
		if r := d.reportOf(exited(0), true); !strings.Contains(r.Explanation.English, "docker inspect") {
			t.Errorf("%s", r.Explanation.English)
		}
		d.command, d.journal.before.Name = nil, "docker" // attached to
	}
}

// TestAProgramThatRunsIsLookedAt fails if a program that stands still, or that is about to
// be refused, is told to be well.
func TestAProgramThatRunsIsLookedAt(t *testing.T) {
	status := "Name:\tapp\nState:\tS\nUid:\t1000\t0\t0\t0\nThreads:\t14\nSeccomp:\t0\n"
	for _, c := range []struct {
		name, file, text, want string
	}{
		{"well", "x", "", "fine"},
		{"a limit that is used up", "proc/70/limits", "Max processes  14  14 processes \n", "exhausted rlimit-nproc"},
		{"frozen", "cg/cgroup.freeze", "1\n", "unknown frozen"},
		{"stopped", "proc/70/task/70/status", strings.Replace(status, "S\n", "T (stopped)\n", 1), "unknown stopped"},
	} {
		d := keeper(t)
		root := d.Root.(fstest.MapFS)
		for name, text := range map[string]string{
			"proc/70/status": status, "proc/70/task/70/status": status, "proc/70/task/70/cgroup": "0::/\n",
			"proc/self/mountinfo": "1 1 0:1 / /cg rw - cgroup2 x rw\n", c.file: c.text,
		} {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := summary(d.reportOf(0, false)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestAStormOfRefusalsIsCheap fails if each of thousands of refusals costs a census.
func TestAStormOfRefusalsIsCheap(t *testing.T) {
	kernel, _ := abi.Lookup("amd64")
	j := newJournal(fstest.MapFS{}, kernel, func() {})
	clock := time.Unix(0, 0)
	j.now = func() time.Time {
		clock = clock.Add(time.Millisecond) // what a census takes here
		return clock
	}
	const storm = 1000
	for i := range storm {
		a := call("mmap", 0x22, nomem)
		a.PID = i
		j.Attempt(a, watch.Thread{})
	}
	p := j.censuses[kind{"mmap", nomem}]
	if p.taken < freely || p.taken > storm/4 {
		t.Errorf("%d censuses for %d refusals", p.taken, storm)
	}
	if len(j.refusals) != maxRefusals {
		t.Errorf("%d refusals are kept", len(j.refusals))
	}
}

// TestAForgottenCensusIsNotAnothers fails if a census that served before names another
// process than the one that was refused.
func TestAForgottenCensusIsNotAnothers(t *testing.T) {
	kernel, _ := abi.Lookup("amd64")
	j := newJournal(fstest.MapFS{}, kernel, func() {})
	j.now = func() time.Time { return time.Unix(0, 0) }
	j.censuses[kind{"mmap", nomem}] = &pace{taken: freely, cost: time.Second, at: j.now(), state: census.Census{Thread: census.Thread{PID: 1, TID: 1}}}
	if c, err := j.state(call("mmap", 0, nomem)); err != nil || c.PID != 70 || c.TID != 71 {
		t.Errorf("%+v, %v", c.Thread, err)
	}
}
