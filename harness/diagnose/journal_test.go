package diagnose

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/poc/abi"
)

// keeper is a diagnosis without a program.
func keeper(t *testing.T) *session {
	t.Helper()
	kernel, ok := abi.Lookup("amd64")
	if !ok {
		t.Fatal("no table of amd64")
	}
	status := &fstest.MapFile{Data: []byte("Name:\tapp\nUid:\t1000\t0\t0\t0\nThreads:\t14\nSeccomp:\t0\n")}
	root := fstest.MapFS{"proc/70/status": status, "proc/70/task/70/status": status, "proc/70/task/71/status": status, "proc/self/mountinfo": {}}
	d := &session{Session: Session{Root: root, Installed: func(string) bool { return false }}}
	d.journal = newJournal(root, kernel, func() { t.Error("it is told too early") })
	d.journal.Started(70)
	return d
}

func clone(errno int) watch.Attempt {
	return watch.Attempt{Call: "clone", PID: 70, TID: 71, Flags: goThread, Errno: errno}
}

const (
	again = 11 // EAGAIN of amd64
	nomem = 12 // ENOMEM
)

// exited is a wait status.
func exited(code int) syscall.WaitStatus { return syscall.WaitStatus(code << 8) }

// TestOnlyWhatWasNeverHadIsRefused fails if a call that the runtime or a C library
// repeated with success is reported as a refusal.
func TestOnlyWhatWasNeverHadIsRefused(t *testing.T) {
	for _, c := range []struct {
		name     string
		attempts []watch.Attempt
		verdict  string
		times    int
	}{
		{"success", []watch.Attempt{clone(0)}, "fine", 0},
		{"retried", []watch.Attempt{clone(again), clone(again), clone(0)}, "recovered", 2},
		{"refused at last", []watch.Attempt{clone(again), clone(0), clone(again), clone(again)}, "refused", 2},
		{"another errno", []watch.Attempt{clone(again), clone(nomem)}, "refused", 1},
		{"a C library's fallback", []watch.Attempt{{Call: "clone3", PID: 70, TID: 71, Flags: goThread, Errno: 38}, clone(0)}, "fine", 0},
		{"another process", []watch.Attempt{clone(again), {Call: "clone", PID: 80, TID: 80, Flags: goThread}}, "refused", 1},
		{"a process", []watch.Attempt{{Call: "clone", PID: 70, TID: 71, Errno: again}, clone(0)}, "refused", 1},
		{"a mapping that was survived", []watch.Attempt{{Call: "mmap", PID: 70, TID: 71, Flags: 0x22, Errno: nomem}}, "fine", 0},
		{"a stack for a thread", []watch.Attempt{{Call: "mmap", PID: 70, TID: 71, Flags: 0x20022, Errno: nomem}}, "refused", 1},
	} {
		d := keeper(t)
		for _, a := range c.attempts {
			d.journal.Attempt(a, watch.Thread{})
		}
		r := d.reportOf(exited(0), true)
		if r.Verdict != c.verdict || r.Failure == nil != (c.times == 0) || r.Failure != nil && r.Failure.Attempts != c.times {
			t.Errorf("%s: %s, %+v", c.name, r.Verdict, r.Failure)
		}
	}
}

// TestWordsChooseAmongFailures fails if the last words of the runtime are reported
// with the wrong failure.
func TestWordsChooseAmongFailures(t *testing.T) {
	heap := watch.Attempt{Call: "mmap", PID: 70, TID: 71, Flags: 0x22, Length: 1 << 22, Errno: nomem}
	for _, c := range []struct {
		words, id, want string
		attempts        []watch.Attempt
	}{
		{"fatal error: out of memory\n", "memory", "mmap", []watch.Attempt{heap}},
		{"fatal error: out of memory\n", "memory-unseen", "", nil},
		{"runtime: program exceeds 20-thread limit\n", "go-max-threads", "", []watch.Attempt{heap}},
		{"runtime/cgo: pthread_create failed: Resource temporarily unavailable\n", "limit-unread", "clone", []watch.Attempt{clone(again)}},
		{"runtime/cgo: pthread_create failed: Cannot allocate memory\n", "elsewhere", "", nil},
	} {
		d := keeper(t)
		for _, a := range c.attempts {
			d.journal.Attempt(a, watch.Thread{})
		}
		d.journal.Wrote(70, []byte(c.words))
		r := d.reportOf(exited(2), true)
		if r.Verdict != "refused" || len(r.Causes) == 0 || r.Causes[0].ID != c.id || r.Said == nil {
			t.Errorf("%q: %s, %+v", c.words, r.Verdict, r.Causes)
			continue
		}
		if r.Failure == nil != (c.want == "") || r.Failure != nil && r.Failure.Call != c.want {
			t.Errorf("%q: %+v", c.words, r.Failure)
		}
	}
}

// TestAMemoryGroupThatKillsIsTold fails if the group that killed a program is missed
// because a launcher moved the program there after its start.
func TestAMemoryGroupThatKillsIsTold(t *testing.T) {
	d := keeper(t)
	root := d.journal.root.(fstest.MapFS)
	put := func(name, text string) { root[name] = &fstest.MapFile{Data: []byte(text)} }
	put("proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup cgroup rw,memory\n")
	put("proc/70/task/71/cgroup", "4:memory:/moved\n")
	put("cg/moved/memory.limit_in_bytes", "40000000\n")
	put("cg/moved/memory.usage_in_bytes", "1000\n")
	put("cg/moved/memory.failcnt", "0\n")
	put("cg/moved/memory.oom_control", "oom_kill 0\n")
	put("proc/70/task/70/cgroup", "4:memory:/moved\n")
	d.journal.Attempt(clone(0), watch.Thread{})
	d.journal.Died(watch.Death{PID: 80, Status: syscall.WaitStatus(syscall.SIGKILL)}, watch.Thread{})
	if r := d.reportOf(syscall.WaitStatus(syscall.SIGKILL), true); r.Verdict != "fine" {
		t.Errorf("a kill by others: %+v", r.Causes)
	}
	put("cg/moved/memory.oom_control", "oom_kill 1\n")
	put("cg/moved/memory.failcnt", "7\n")
	d.journal.Died(watch.Death{PID: 70, Status: syscall.WaitStatus(syscall.SIGKILL)}, watch.Thread{})
	r := d.reportOf(syscall.WaitStatus(syscall.SIGKILL), true)
	if r.Verdict != "refused" || r.Causes[0].ID != "cgroup-memory" || r.Causes[0].Where != "/cg/moved/memory.limit_in_bytes" {
		t.Errorf("%s %+v", r.Verdict, r.Causes)
	}
}

func TestAFilterThatKillsIsTold(t *testing.T) {
	d := keeper(t)
	d.journal.end(syscall.WaitStatus(syscall.SIGSYS))
	r := d.reportOf(syscall.WaitStatus(syscall.SIGSYS), true)
	if r.Verdict != "refused" || r.Causes[0].ID != "seccomp-kill" {
		t.Errorf("%+v", r)
	}
}

// TestWhatCannotBeWatchedIsNotFine fails if the report says that nothing was refused
// to a program that could not be watched.
func TestWhatCannotBeWatchedIsNotFine(t *testing.T) {
	d := keeper(t)
	root := fstest.MapFS{
		"proc/self/status":                       {Data: []byte("Uid:\t1000\nCapEff:\t0\nSeccomp:\t0\n")},
		"proc/70/status":                         {Data: []byte("Uid:\t0\nTracerPid:\t99\n")},
		"proc/sys/kernel/yama/ptrace_scope":      {Data: []byte("1\n")},
		"proc/sys/kernel/unrelated/ptrace_scope": {Data: []byte("3\n")},
	}
	d.needs = needs(root, 70, "", errors.New("EPERM"))
	r := d.reportOf(0, false)
	var b bytes.Buffer
	if err := r.Write(&b, language.English, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"EPERM", "ptrace_scope=0", "process 99", "user 0"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in %s", want, b.String())
		}
	}
	if r.Verdict != "unknown" || strings.Contains(b.String(), "No thread") {
		t.Errorf("%s: %s", r.Verdict, b.String())
	}
}

func TestReportsAreJSON(t *testing.T) {
	d := keeper(t)
	d.journal.Attempt(clone(again), watch.Thread{})
	var b bytes.Buffer
	if err := d.reportOf(exited(2), true).Write(&b, language.Chinese, true); err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(b.Bytes(), &r); err != nil || r.Schema != Schema || r.Failure.Name != "EAGAIN" || r.Explanation.Chinese == "" {
		t.Errorf("%v: %+v", err, r)
	}
}

// TestToolsAreNamedOnlyWhereTheyAre also fails if a command cannot be pasted.
func TestToolsAreNamedOnlyWhereTheyAre(t *testing.T) {
	got := tools(func(tool string) bool { return tool == "strace" }, 0, []string{"./a b", "it's", "-x=1"})
	want := `strace -f -e trace=process,memory -- './a b' 'it'\''s' -x=1`
	if len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
}
