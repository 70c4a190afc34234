package diagnose

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/poc/trace"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// named is a report with the name that it has in a golden file.
type named struct {
	name   string
	report Report
}

// judged makes the report of a state of the machine.
func judged(name string, spoil func(e *Evidence, s *census.Census)) named {
	e := roomy()
	spoil(&e, &e.State)
	r := Report{Schema: Schema, Verdict: "refused", Failure: &e.Failure, State: &e.State, Causes: Judge(e),
		Program: programOf(70, []string{"./app"}, exited(2), true)}
	r.explain(false, nil)
	return named{name, r}
}

// contained are the states whose remedies depend on who set the limit.
func contained() (all []named) {
	id := strings.Repeat("0123456789ab", 6)[:64]
	for _, c := range []struct{ runtime, path string }{
		{"", "/sys/fs/cgroup/system.slice/app.service"},
		{"docker", "/sys/fs/cgroup/system.slice/docker-" + id + ".scope"},
		{"podman", "/sys/fs/cgroup/machine.slice/libpod-" + id + ".scope"},
		{"kubernetes", "/sys/fs/cgroup/kubepods.slice/pod1"},
		{"lxc", "/sys/fs/cgroup/lxc/one"},
	} {
		for _, state := range []struct {
			name  string
			spoil func(e *Evidence, s *census.Census)
		}{
			{"a full group", func(e *Evidence, s *census.Census) { s.Groups.Pids[0].Current = census.Known(9) }},
			{"RLIMIT_NPROC", func(e *Evidence, s *census.Census) {
				s.User.Tasks, s.User.Processes.Hard = census.Known(1000), census.Known(1000)
			}},
			{"a filter", func(e *Evidence, s *census.Census) { e.Filters = asked(trace.Error | 11) }},
			{"a group above", func(e *Evidence, s *census.Census) { s.Groups.Hidden = true }},
			{"memory", func(e *Evidence, s *census.Census) {
				fail(e, "ENOMEM", 12)
				g := census.MemoryGroup{Path: c.path, Version: 2, Max: census.Known(100), Current: census.Known(90), Hits: census.Known(1)}
				e.Before.Groups.Memory = []census.MemoryGroup{g}
				g.Hits = census.Known(2)
				s.Groups.Memory = []census.MemoryGroup{g}
			}},
		} {
			all = append(all, judged(fmt.Sprintf("%s in %q", state.name, c.runtime), func(e *Evidence, s *census.Census) {
				s.Container = c.runtime
				s.Groups.Pids = []census.PidsGroup{{Path: c.path, Version: 2, Max: census.Known(9), Current: census.Known(3), Refused: census.Known(0)}}
				state.spoil(e, s)
			}))
		}
	}
	return all
}

// told are the reports that a watched program's calls, words and end give.
func told(t *testing.T) (all []named) {
	heap := watch.Attempt{Call: "mmap", PID: 70, TID: 71, Flags: 0x22, Length: 1 << 22, Errno: nomem}
	for _, c := range []struct {
		name     string
		attempts []watch.Attempt
		words    string
		status   syscall.WaitStatus
		running  bool
		hangs    bool
		unseen   bool
	}{
		{name: "nothing refused", attempts: []watch.Attempt{clone(0)}},
		{name: "recovered", attempts: []watch.Attempt{clone(again), clone(0)}},
		{name: "refused, still running", attempts: []watch.Attempt{clone(again)}, running: true},
		{name: "a runtime that hangs", attempts: []watch.Attempt{clone(again)}, running: true, hangs: true},
		{name: "an errno without a name", attempts: []watch.Attempt{clone(4000)}},
		{name: "a process", attempts: []watch.Attempt{{Call: "clone", PID: 70, TID: 71, Errno: again}}},
		{name: "words and a mapping", attempts: []watch.Attempt{heap}, words: "fatal error: out of memory\n", status: exited(2)},
		{name: "words without a call", words: "runtime: failed to create new OS thread (have 14 already; errno=11)\n", status: exited(2)},
		{name: "memory that was not seen", words: "fatal error: out of memory\n", status: exited(2)},
		{name: "SetMaxThreads", words: "runtime: program exceeds 20-thread limit\n", status: exited(2)},
		{name: "SIGSYS", status: syscall.WaitStatus(syscall.SIGSYS)},
		{name: "a signal of others", status: syscall.WaitStatus(syscall.SIGTERM)},
		{name: "could not be watched", running: true, unseen: true},
	} {
		d := keeper(t)
		d.hangs = c.hangs
		d.Installed = func(string) bool { return true }
		if c.unseen {
			d.needs = needs(d.Root, 70, "", errors.New("EPERM"))
		}
		for _, a := range c.attempts {
			d.journal.Attempt(a, watch.Thread{})
		}
		if c.words != "" {
			d.journal.Wrote(70, []byte(c.words))
		}
		if !c.running {
			d.journal.end(c.status)
		}
		all = append(all, named{c.name, d.reportOf(c.status, !c.running)})
	}
	return all
}

// stories are what the journal tells of more than one event.
func stories(t *testing.T) (all []named) {
	for _, c := range []struct {
		name    string
		events  func(d *session)
		status  syscall.WaitStatus
		running bool
	}{
		{name: "recovered, and failed", events: func(d *session) {
			d.journal.Attempt(clone(again), watch.Thread{})
			d.journal.Attempt(clone(0), watch.Thread{})
		}, status: exited(8)},
		{name: "memory, and failed", events: func(d *session) { d.journal.Attempt(call("mprotect", 3, nomem), watch.Thread{}) }, status: exited(3)},
		{name: "a sandbox that does without", events: func(d *session) { d.journal.Attempt(call("clone", newUsers|17, full28), watch.Thread{}) }},
		{name: "flags that cannot be read", events: func(d *session) {
			a := call("clone3", 0, again)
			a.Unread, a.ABI = true, "386"
			d.journal.Attempt(a, watch.Thread{})
		}, status: exited(3)},
		{name: "execve", events: func(d *session) {
			a := call("execve", 0, again)
			a.Path = "/bin/true"
			d.journal.Attempt(a, watch.Thread{})
		}, status: exited(126)},
		{name: "many others", events: func(d *session) {
			for pid := range 6 {
				a := clone(again)
				a.PID, a.TID = 80+pid, 80+pid
				d.journal.Attempt(a, watch.Thread{})
			}
			d.journal.Attempt(watch.Attempt{Call: "clone", PID: 80, TID: 80, Flags: goThread}, watch.Thread{})
			d.journal.Died(killed(90, syscall.SIGSYS), watch.Thread{})
		}, status: exited(2)},
		{name: "a child that a filter ended", events: func(d *session) {
			death := killed(70, syscall.SIGSYS)
			a := call("clone3", goThread, 0)
			death.TID, death.Call = 70, &a
			d.journal.launched = true
			d.journal.Attempt(call("seccomp", 0, 0), watch.Thread{})
			d.journal.Died(death, watch.Thread{})
			d.journal.Died(killed(70, syscall.SIGSYS), watch.Thread{})
		}},
		{name: "a thread that a filter ended", events: func(d *session) {
			death := killed(70, syscall.SIGSYS)
			a := call("", 0, 0)
			a.Number = 39
			death.TID, death.Call = 71, &a
			d.journal.launched = true
			d.journal.Died(death, watch.Thread{})
		}, running: true},
		{name: "words that are passed on", events: func(d *session) {
			d.command = []string{"docker", "run", "x"}
			d.journal.Wrote(70, []byte("runtime/cgo: pthread_create failed: Operation not permitted\n"))
		}, status: exited(2)},
		{name: "a client", events: func(d *session) { d.command = []string{"podman", "start", "x"} }},
		{name: "what was not watched", events: func(d *session) {
			for i, reason := range []watch.Reason{watch.ForeignABI, watch.Before, watch.Left, watch.Left, watch.Kept, watch.Untraced, watch.Unreadable, watch.Lost, watch.SetUser, watch.Tracer} {
				d.journal.Unwatched(watch.Gap{PID: 80 + i, Reason: reason, Detail: "/bin/x"})
			}
		}},
		{name: "told before", events: func(d *session) {
			d.journal.Attempt(clone(again), watch.Thread{})
			d.Tell = func(Report) error { return nil }
			d.tell(false)
		}, status: exited(2)},
	} {
		d := keeper(t)
		c.events(d)
		r := d.reportOf(c.status, !c.running)
		r.Again = d.told != nil
		all = append(all, named{c.name, r})
	}
	oom := &Death{PID: 70, Signal: 9, state: roomy().State, sure: true}
	return append(all, named{"OOM", Report{Verdict: "refused", Death: oom, Causes: []Cause{oom.cause()},
		Explanation: oom.cause().Why}})
}

// forbidden are the reasons why a program may not be traced.
func forbidden() (all []named) {
	for _, c := range []struct {
		name, yama, self, its string
		pid                   int
	}{
		{"nothing known", "0", "", "", 0},
		{"a thread of the kernel", "0", "CapEff:\tffffffff\n", "State:\tS\n", 70},
		{"a process that has ended", "0", "CapEff:\tffffffff\n", "State:\tZ\nPPid:\t60\n", 70},
		{"Yama 1", "1", "CapEff:\t0\n", "", 70},
		{"Yama 2", "2", "CapEff:\t0\n", "", 0},
		{"Yama 3", "3", "CapEff:\tffffffff\n", "", 0},
		{"another user and tracer", "0", "Uid:\t1000\nCapEff:\t0\n", "VmSize:\t9\nUid:\t0\nTracerPid:\t99\n", 70},
		{"mapstack in a container, traced", "0", "Seccomp:\t2\nTracerPid:\t98\n", "", 0},
	} {
		root := fstest.MapFS{
			"proc/self/status":                  {Data: []byte(c.self)},
			"proc/70/status":                    {Data: []byte(c.its)},
			"proc/sys/kernel/yama/ptrace_scope": {Data: []byte(c.yama + "\n")},
		}
		all = append(all, named{c.name, Report{Verdict: "unknown", Needs: needs(root, c.pid, "", errors.New("EPERM")),
			Explanation: Text{"Not watched.", "未跟踪。"}}})
	}
	return all
}

func everyReport(t *testing.T) (all []named) {
	for _, c := range judgements {
		all = append(all, judged(c.name, c.spoil))
	}
	return append(append(append(all, contained()...), told(t)...), append(stories(t), forbidden()...)...)
}

// golden compares what was written with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%s:%d\ngot  %s\nwant %s", path, i+1, a[i], b[i])
		}
	}
	t.Fatalf("%s has %d lines, want %d", path, len(a), len(b))
}

// TestNoSentenceChangesUnseen fails if what users read, or paste, is not what the
// golden files show in each language.
func TestNoSentenceChangesUnseen(t *testing.T) {
	reports := everyReport(t)
	for _, l := range []language.Language{language.English, language.Chinese} {
		var b bytes.Buffer
		for _, n := range reports {
			fmt.Fprintf(&b, "== %s\n", n.name)
			if err := n.report.Write(&b, l, false); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, string(l)+".golden", b.Bytes())
	}
}

// TestTheJSONStaysReadable fails if a key, a value or their order differs from what
// programs that read a report were written for.
func TestTheJSONStaysReadable(t *testing.T) {
	var b bytes.Buffer
	show := []string{"a container", "RLIMIT_AS", "EINVAL after unshare", `memory in "docker"`, "words without a call", "could not be watched", "SIGSYS"}
	for _, n := range everyReport(t) {
		for _, name := range show {
			if n.name != name {
				continue
			}
			var line bytes.Buffer
			if err := n.report.Write(&line, language.English, true); err != nil {
				t.Fatal(err)
			}
			if err := json.Indent(&b, line.Bytes(), "", "  "); err != nil {
				t.Fatal(err)
			}
		}
	}
	golden(t, "reports.json", b.Bytes())
}
