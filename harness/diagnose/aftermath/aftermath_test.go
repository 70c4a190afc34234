package aftermath

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/poc/abi"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func amd64(t testing.TB) abi.Table {
	t.Helper()
	table, known := abi.Lookup("amd64")
	if !known {
		t.Fatal("there is no table for amd64")
	}
	return table
}

func heard(t testing.TB, text string) Log {
	t.Helper()
	log, err := Read(strings.NewReader(text), amd64(t))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// lines are what programs wrote when they were refused something, and what must be
// understood. Those of Java, Python, Node, Rust, C++, OpenMP, shells, make and the kernel
// were made on a machine with a full control group.
var lines = []struct {
	text  string
	kind  Kind
	who   string
	errno string
}{
	{"runtime: failed to create new OS thread (have 14 already; errno=11)", Thread, "Go", "EAGAIN"},
	{"2026/11/28 app runtime: failed to create new OS thread (have 2 already; errno=22)", Thread, "Go", "EINVAL"},
	{"runtime/cgo: pthread_create failed: Resource temporarily unavailable", Thread, "cgo", "EAGAIN"},
	{"runtime/cgo: pthread_create failed: Operation not permitted", Thread, "cgo", "EPERM"},
	{"runtime: program exceeds 10000-thread limit", MaxThreads, "Go", ""},
	{"fatal error: runtime: out of memory", Memory, "Go", "ENOMEM"},
	{"runtime: mmap: too much locked memory (check 'ulimit -l').", Memory, "Go", "EAGAIN"},
	{`[0.087s][warning][os,thread] Failed to start thread "Unknown thread" - pthread_create failed (EAGAIN) for attributes: stacksize: 1024k, guardsize: 0k, detached.`, Thread, "Java", "EAGAIN"},
	{`Exception in thread "main" java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached`, Thread, "Java", ""},
	{"java.lang.OutOfMemoryError: unable to create new native thread", Thread, "Java", ""},
	{"Cannot create worker GC thread. Out of system resources.", Thread, "Java", ""},
	{"OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory(0x00000000c0000000, 1073741824, 0) failed; error='Not enough space' (errno=12)", Memory, "Java", "ENOMEM"},
	{"RuntimeError: can't start new thread", Thread, "Python", ""},
	{"BlockingIOError: [Errno 11] Resource temporarily unavailable", Process, "Python", "EAGAIN"},
	{"OSError: [Errno 12] Cannot allocate memory", Process, "Python", "ENOMEM"},
	{"MemoryError", Memory, "Python", ""},
	{"Error: spawn /bin/sleep EAGAIN", Process, "Node", "EAGAIN"},
	{"  #  Assertion failed: (0) == (uv_thread_create(t.get(), start_thread, this))", Thread, "Node", ""},
	{"app.rb:1:in `initialize': can't create Thread: Resource temporarily unavailable (ThreadError)", Thread, "Ruby", "EAGAIN"},
	{"Errno::EAGAIN: Resource temporarily unavailable - fork(2)", Process, "Ruby", "EAGAIN"},
	{`failed to spawn thread: Os { code: 11, kind: WouldBlock, message: "Resource temporarily unavailable" }`, Thread, "Rust", "EAGAIN"},
	{"OS can't spawn worker thread: Resource temporarily unavailable (os error 11)", Thread, "Rust", "EAGAIN"},
	{"  what():  Resource temporarily unavailable", Thread, "C++", "EAGAIN"},
	{"libgomp: Thread creation failed: Resource temporarily unavailable", Thread, "OpenMP", "EAGAIN"},
	{"OpenBLAS blas_thread_init: pthread_create failed for thread 3 of 64: Resource temporarily unavailable", Thread, "a program", "EAGAIN"},
	{"bash: fork: retry: Resource temporarily unavailable", Process, "a program", "EAGAIN"},
	{"bash: fork: Cannot allocate memory", Process, "a program", "ENOMEM"},
	{"bash: fork: 无法分配内存", Process, "a program", "ENOMEM"},
	{"-bash: fork: retry: 资源暂时不可用", Process, "a program", "EAGAIN"},
	{"dash: 0: Cannot fork", Process, "a shell", ""},
	{"make: sleep: Resource temporarily unavailable", Process, "make", "EAGAIN"},
	{"su: cannot set user id: Resource temporarily unavailable", Program, "a program", "EAGAIN"},
	{"sshd: fatal: exec of /bin/bash failed: Resource temporarily unavailable", Program, "a program", "EAGAIN"},
	{"unshare: unshare failed: No space left on device", Namespace, "a program", "ENOSPC"},
	{"bwrap: Creating new namespace failed: Operation not permitted", Namespace, "a program", "EPERM"},
	{"OCI runtime create failed: runc create failed: unable to start container process: resource temporarily unavailable", Process, "a container runtime", "EAGAIN"},
	{"[24147.914002] cgroup: fork rejected by pids controller in /system.slice/web.service", FullGroup, kernel, ""},
	{"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/box,task_memcg=/box/own,task=app,pid=1856,uid=0", KilledInGroup, kernel, ""},
	{"Memory cgroup out of memory: Killed process 1856 (app) total-vm:1465080kB, anon-rss:51712kB", KilledInGroup, kernel, ""},
	{"Task in /box/own killed as a result of limit of /box", KilledInGroup, kernel, ""},
	{"Out of memory: Killed process 77 (app) total-vm:1465080kB", Killed, kernel, ""},
	{"Out of memory: Kill process 77 (app) score 900 or sacrifice child", Killed, kernel, ""},
	{`audit: type=1326 audit(1795905748.222:5): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=2236 comm="app" exe="/app" sig=31 arch=c000003e syscall=435 compat=0 ip=0x4676c9 code=0x80000000`, Filtered, kernel, ""},
	{"SIGSYS: bad system call", Filtered, "Go", ""},
	{"Bad system call (core dumped)", Filtered, "a shell", ""},
	{"systemd[1]: web.service: Failed with result 'oom-kill'.", Killed, "systemd", ""},
	{"systemd[1]: web.service: Main process exited, code=dumped, status=31/SYS", Filtered, "systemd", ""},
	{"      Reason:       OOMKilled", KilledInGroup, "Kubernetes", ""},
	{"app exited with code 137", Killed, "a container engine", ""},
}

func TestWhatProgramsWroteIsUnderstood(t *testing.T) {
	for _, c := range lines {
		log := heard(t, "a line before\n"+c.text+"\n")
		if len(log.Words) != 1 {
			t.Errorf("%s\ngives %+v", c.text, log.Words)
			continue
		}
		if w := log.Words[0]; w.Kind != c.kind || w.Speaker != c.who || w.Errno != c.errno || w.Line != 2 {
			t.Errorf("%s\ngives %+v, want %s %s %s", c.text, w, c.kind, c.who, c.errno)
		}
		if len(causes(log, nil)) == 0 {
			t.Errorf("%s\nhas no cause", c.text)
		}
	}
}

// TestOrdinaryLinesAreNoRefusals fails if a log of a healthy program is blamed.
func TestOrdinaryLinesAreNoRefusals(t *testing.T) {
	for _, line := range []string{
		"forked 4 workers", "created thread pool with 8 threads", "read: Resource temporarily unavailable", "open /x: Operation not permitted",
		"exit status 1", "exited with code 0", "listening on port 13700", "GET /fork 200", "write: no space left on device", "clone finished",
		"invalid argument for option namespace",
	} {
		if log := heard(t, line); len(log.Words) != 0 {
			t.Errorf("%q gives %+v", line, log.Words)
		}
	}
}

// roomy are the facts of a host where nothing is near its limit.
func roomy() Facts {
	n, none := census.Known, census.Amount{State: census.Unlimited}
	return Facts{Schema: Schema, Architecture: "amd64", Taken: time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC), Groups: 40, given: true, State: census.Census{
		User:       census.User{ID: 1000, Processes: census.Limit{Soft: n(10000), Hard: n(10000)}, Tasks: n(100)},
		Tasks:      census.Tasks{Max: n(100000), Count: n(300), PIDMax: n(4194304), IDs: n(250)},
		Space:      census.Space{Limit: census.Limit{Soft: none, Hard: none}, DataLimit: census.Limit{Soft: none, Hard: none}, Stack: census.Limit{Soft: n(8 << 20), Hard: none}, MaxMappings: n(65530)},
		Memory:     census.Memory{Overcommit: n(0), CommitLimit: n(1 << 34), Committed: n(1 << 30), Available: n(1 << 33), OOMKilled: n(0)},
		Seccomp:    census.Seccomp{Mode: n(0)},
		Namespaces: census.Namespaces{InitialPIDs: true, InitialUsers: true},
		Kernel:     "6.1.0-50-amd64",
	}}
}

const goThread = "runtime: failed to create new OS thread (have 14 already; errno=11)\nfatal error: newosproc\n"

// weighed are logs with facts, and the cause that must come first.
var weighed = []struct {
	name, log string
	facts     func(f *Facts)
	want      string
}{
	{"a full group", goThread, func(f *Facts) {
		f.Full = []census.PidsGroup{{Path: "/sys/fs/cgroup/box", Version: 2, Max: census.Known(30), Current: census.Known(30), Refused: census.Known(4)}}
	}, "likely cgroup-pids"},
	{"a group that refused", goThread, func(f *Facts) {
		f.Full = []census.PidsGroup{{Path: "/sys/fs/cgroup/box", Version: 2, Max: census.Known(30), Current: census.Known(3), Refused: census.Known(4)}}
	}, "likely cgroup-pids"},
	{"the kernel's log names the group", goThread + "cgroup: fork rejected by pids controller in /box\n", nil, "certain cgroup-pids"},
	{"the user's limit is used up", goThread, func(f *Facts) { f.State.User.Tasks = census.Known(10000) }, "likely rlimit-nproc"},
	{"the program had more threads than half of the limit", goThread, func(f *Facts) { f.State.User.Processes.Soft = census.Known(20); f.State.User.Tasks = census.Known(1) }, "likely rlimit-nproc"},
	{"the machine is full", goThread, func(f *Facts) { f.State.Tasks.Count = census.Known(99000) }, "likely threads-max"},
	{"numbers are few", goThread, func(f *Facts) { f.State.Tasks.PIDMax = census.Known(400) }, "likely pid-max"},
	{"unshare without a fork, and threads", "runtime: failed to create new OS thread (have 2 already; errno=22)\n", nil, "likely pid-namespace"},
	{"unshare without a fork, and jobs", "bash: fork: Cannot allocate memory\n", nil, "likely pid-namespace"},
	{"a stack of a C library", "RuntimeError: can't start new thread\n", func(f *Facts) { f.State.Space.Stack.Soft = census.Known(1 << 40) }, "likely rlimit-stack"},
	{"overcommit", "fatal error: runtime: out of memory\n", func(f *Facts) { f.State.Memory.Overcommit = census.Known(2) }, "likely overcommit"},
	{"an old container runtime", "runtime/cgo: pthread_create failed: Operation not permitted\n", func(f *Facts) { f.State.Container = "docker" }, "likely seccomp"},
	{"a group without memory", "app exited with code 137\n", func(f *Facts) {
		f.Killing = []census.MemoryGroup{{Path: "/sys/fs/cgroup/box", Version: 2, Max: census.Known(1 << 20), Killed: census.Known(1)}}
	}, "likely cgroup-memory"},
	{"no memory at all", "Out of memory: Killed process 77 (app) total-vm:1465080kB\n", nil, "certain memory"},
	{"SetMaxThreads", "runtime: program exceeds 10000-thread limit\n", nil, "certain go-max-threads"},
	{"SIGSYS, and the kernel's log", "SIGSYS: bad system call\n", func(f *Facts) {
		f.Kernel = []Word{{Kind: Filtered, Speaker: kernel, Name: "app", Call: 435, Arch: 0xc000003e}}
	}, "certain seccomp-kill"},
	{"no namespace is left", "unshare: unshare failed: No space left on device\n", func(f *Facts) {
		f.State.Namespaces.Max = map[string]census.Amount{"user": census.Known(0)}
	}, "likely max-namespaces"},
	{"nothing known", "all is well\n", nil, ""},
}

func judgedLog(t testing.TB, log string, spoil func(f *Facts)) Report {
	f := roomy()
	if spoil != nil {
		spoil(&f)
	}
	return Judge(heard(t, log), &f)
}

func TestTheHostsFactsDecide(t *testing.T) {
	for _, c := range weighed {
		r, got := judgedLog(t, c.log, c.facts), ""
		if len(r.Causes) > 0 {
			got = string(r.Causes[0].Likelihood) + " " + r.Causes[0].ID
		}
		if got != c.want || (r.Verdict == "refused") != (c.want != "") {
			t.Errorf("%s: %q, want %q\n%+v", c.name, got, c.want, r.Causes)
		}
	}
}

// TestOneSentenceNamesCauseAndCure fails if a reader must look for the cure of what is
// most often taken for a fault of the kernel: unshare --pid without --fork.
func TestOneSentenceNamesCauseAndCure(t *testing.T) {
	for _, log := range []string{"runtime: failed to create new OS thread (have 2 already; errno=22)\n", "runtime: failed to create new OS thread (have 5 already; errno=12)\n"} {
		r := judgedLog(t, log, nil)
		for _, text := range []string{r.Explanation.English, r.Explanation.Chinese} {
			if !strings.Contains(text, "unshare --pid PROGRAM") || !strings.Contains(text, "unshare --fork --pid PROGRAM") {
				t.Error(text)
			}
		}
	}
}

// TestNumbersAreOfTheHost fails if an errno is read by the wrong architecture's numbers.
func TestNumbersAreOfTheHost(t *testing.T) {
	table, _ := abi.Lookup("mips64le")
	log, err := Read(strings.NewReader("runtime: failed to create new OS thread (have 5 already; errno=89)\n"), table)
	if err != nil || log.Words[0].Errno != "ENOSYS" {
		t.Errorf("%+v, %v", log, err)
	}
}

func TestALogIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 3 * maxWords {
		fmt.Fprintf(&b, "cgroup: fork rejected by pids controller in /group-%d\n%s\n", i, strings.Repeat("x", 3*maxLine))
	}
	log := heard(t, b.String())
	if len(log.Words) != maxWords || !log.Cut || log.Words[maxWords-1].Group != fmt.Sprintf("/group-%d", 3*maxWords-1) || log.Lines != 6*maxWords {
		t.Errorf("%d words, cut %t, %d lines, the last %+v", len(log.Words), log.Cut, log.Lines, log.Words[len(log.Words)-1])
	}
	if log := heard(t, strings.Repeat(goThread, 1000)); len(log.Words) != 1 || log.Words[0].Times != 1000 {
		t.Errorf("%+v", log)
	}
	if r := Judge(heard(t, b.String()), nil); len(r.Causes[0].For) > maxReasons {
		t.Errorf("%d reasons", len(r.Causes[0].For))
	}
	if _, err := Read(io.MultiReader(strings.NewReader("x\n"), failing{}), abi.Table{}); err == nil {
		t.Error("a log that cannot be read is no error")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }

// controls reports whether a text would do something to a terminal.
func controls(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\a\u009b\u202e")
}

// TestWhatOthersWroteControlsNoTerminal fails if a log or the facts of another host reach
// the terminal as they are.
func TestWhatOthersWroteControlsNoTerminal(t *testing.T) {
	const evil = "/box\x1b]0;owned\a\u202e\x9b2J"
	f := roomy()
	f.Full = []census.PidsGroup{{Path: evil + "\nmapstack: all is well", Version: 2, Max: census.Known(1), Current: census.Known(1), Refused: census.Known(1)}}
	f.State.Kernel, f.State.Container, f.Architecture, f.State.User.Exempt = evil, evil, evil, evil
	log := heard(t, "cgroup: fork rejected by pids controller in "+evil+"\n"+evil+" runtime/cgo: pthread_create failed: Operation not permitted\n"+goThread)
	for _, l := range []language.Language{language.English, language.Chinese} {
		for _, asJSON := range []bool{false, true} {
			var b bytes.Buffer
			if err := Judge(log, &f).Write(&b, l, asJSON); err != nil {
				t.Fatal(err)
			}
			if controls(b.String()) || strings.Contains(b.String(), "\nmapstack: all") {
				t.Errorf("%q", b.String())
			}
		}
	}
}

// TestFactsSurviveTheWayToAnotherHost fails if the facts that one host wrote are read as
// others, or if a file that is none is taken for facts.
func TestFactsSurviveTheWayToAnotherHost(t *testing.T) {
	root := fstest.MapFS{
		"proc/self/mounts":                {Data: []byte("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")},
		"sys/fs/cgroup/box/pids.max":      {Data: []byte("30\n")},
		"sys/fs/cgroup/box/pids.current":  {Data: []byte("7\n")},
		"sys/fs/cgroup/box/pids.events":   {Data: []byte("max 4\n")},
		"sys/fs/cgroup/fine/pids.max":     {Data: []byte("max\n")},
		"sys/fs/cgroup/box/memory.max":    {Data: []byte("1000\n")},
		"sys/fs/cgroup/box/memory.events": {Data: []byte("low 0\nhigh 0\nmax 2\noom 1\noom_kill 1\n")},
	}
	written := Here(root, "<6>[1.0] cgroup: fork rejected by pids controller in /box\n", time.Unix(1795900000, 0))
	if len(written.Full) != 1 || len(written.Killing) != 1 || len(written.Kernel) != 1 || written.Groups != 3 || written.Unknown["state"] == "" {
		t.Fatalf("%+v", written)
	}
	var b bytes.Buffer
	if err := written.Write(&b); err != nil {
		t.Fatal(err)
	}
	read, err := Parse(&b)
	if err != nil || !read.given {
		t.Fatal(err)
	}
	if got, want := Judge(heard(t, goThread), &read), Judge(heard(t, goThread), &written); !slices.EqualFunc(got.Causes, want.Causes, func(a, b Cause) bool { return a.ID == b.ID && len(a.For) == len(b.For) }) || got.Causes[0].ID != "cgroup-pids" {
		t.Errorf("%+v\n%+v", got.Causes, want.Causes)
	}
	for _, text := range []string{"", "{}", "[]", `{"schema":99}`, "runtime: failed"} {
		if _, err := Parse(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for facts", text)
		}
	}
	if f := Here(fstest.MapFS{}, "", time.Now()); len(f.Unknown) != 3 {
		t.Errorf("%+v", f.Unknown)
	}
}

// TestNoSentenceChangesUnseen fails if what users read is not what the golden files show.
func TestNoSentenceChangesUnseen(t *testing.T) {
	for _, l := range []language.Language{language.English, language.Chinese} {
		var b bytes.Buffer
		write := func(name string, r Report) {
			fmt.Fprintf(&b, "== %s\n", name)
			if err := r.Write(&b, l, false); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range weighed {
			write(c.name, judgedLog(t, c.log, c.facts))
		}
		write("without facts", Judge(heard(t, goThread+"web.service: Failed with result 'oom-kill'\n"), nil))
		path := filepath.Join("testdata", string(l)+".golden")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s differs; -update rewrites it:\n%s", path, b.String())
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range lines {
		f.Add([]byte(c.text))
	}
	table := amd64(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		log, err := Read(bytes.NewReader(text), table)
		if err != nil {
			t.Fatal(err)
		}
		facts := roomy()
		facts.Kernel = log.Words
		for _, l := range []language.Language{language.English, language.Chinese} {
			var b bytes.Buffer
			if err := Judge(log, &facts).Write(&b, l, false); err != nil || controls(b.String()) {
				t.Errorf("%v: %q", err, b.String())
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	var b bytes.Buffer
	if err := roomy().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		facts, err := Parse(bytes.NewReader(text))
		if err != nil {
			return
		}
		log, _ := Read(strings.NewReader(goThread+"SIGSYS: bad system call\nMemoryError\n"), facts.Table())
		var b bytes.Buffer
		if err := Judge(log, &facts).Write(&b, language.English, false); err != nil || controls(b.String()) {
			t.Errorf("%v: %q", err, b.String())
		}
	})
}
