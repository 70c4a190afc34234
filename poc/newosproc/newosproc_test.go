package newosproc

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
	"github.com/mapstack/conformance/poc/wire"
)

// TestMain lets this test binary act as a child that the probe starts. The
// environment can also make it a program that does nothing.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("NEWOSPROC_TEST_HANG") == "sleep":
		time.Sleep(time.Hour)
	case os.Getenv("NEWOSPROC_TEST_HANG") == "deadlock":
		deadlock()
	case len(os.Args) > 1 && os.Args[1] == "-child":
		Main()
	case os.Getenv("NEWOSPROC_TEST_PARTS") != "":
		probe.Run(parts, nil)
	}
	os.Exit(m.Run())
}

// deadlock waits for ever, unnoticed by the runtime, for which the goroutine runs. So
// does a program that lost the error of clone: a thread that does not exist seems to run.
func deadlock() {
	go func() {
		for runtime.LockOSThread(); ; {
			var word uint32
			syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), 0, 0, 0, 0, 0)
		}
	}()
	select {}
}

// parts runs those parts of the probe that its arguments name: causes, or the chain.
func parts(p *probe.P) {
	limit.Prewarm()
	for _, name := range p.Args {
		if name == "chain" {
			chain(p, name, "")
		}
		for _, c := range causes() {
			if c.name == name {
				meet(p, c)
			}
		}
	}
}

// observe runs parts of the probe. It returns their observations by step.
func observe(t *testing.T, names ...string) map[string]wire.Observation {
	t.Helper()
	t.Setenv("NEWOSPROC_TEST_PARTS", "1")
	steps, status := steps(t, names...)
	if status != 0 {
		t.Fatalf("%v: status %d", names, status)
	}
	return steps
}

// steps runs this program. It returns its observations by step, and its exit status.
func steps(t *testing.T, args ...string) (map[string]wire.Observation, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	steps := map[string]wire.Observation{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		var o wire.Observation
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		steps[o.Step] = o
	}
	return steps, cmd.ProcessState.ExitCode()
}

// needRoot skips a test that needs root, to become another user or to filter calls.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may become another user, or filter calls and keep its privileges")
	}
}

// TestCausesOfOneProgramShow tests the whole path on the running kernel: limit,
// tracer, the runtime's message, and the same program without the limit.
func TestCausesOfOneProgramShow(t *testing.T) {
	needRoot(t)
	for _, tc := range []struct {
		cause, name, refused, text string
	}{
		{"nproc", "EAGAIN", "20", "(ulimit -u)\nfatal error: newosproc\n"},
		{"seccomp EPERM", "EPERM", "1", "errno=1)\nfatal error: newosproc\n"},
	} {
		steps := observe(t, tc.cause)
		if c := steps[tc.cause+".clone"]; c.Error != tc.name || c.Values["refused"] != tc.refused {
			t.Errorf("%s: %+v", tc.cause, c)
		}
		end := steps[tc.cause+".end"].Values
		if end["exit"] != "2" || end["hung"] != "false" || !strings.HasSuffix(end["text"], tc.text) ||
			!strings.HasPrefix(end["frames"], "runtime.throw runtime.newosproc ") {
			t.Errorf("%s: %v", tc.cause, end)
		}
		// A filter ends with its program, so there is no second run.
		again := tc.name == "EAGAIN"
		end2, ran := steps[tc.cause+".again.end"]
		if up := steps[tc.cause+".again.up"]; ran != again || again && (end2.Values["exit"] != "0" || up.Values["started"] != strconv.Itoa(most)) {
			t.Errorf("%s again: %v, %v", tc.cause, end2, up)
		}
	}
}

// TestALiftedLimitLetsTheProgramLive fails if the limit is not raised while the
// runtime still retries.
func TestALiftedLimitLetsTheProgramLive(t *testing.T) {
	needRoot(t)
	steps := observe(t, "lifted")
	if c := steps["lifted.clone"].Values; c["lifted"] != "ok" || c["refused"] != "3" {
		t.Errorf("%v", c)
	}
	if end := steps["lifted.end"].Values; end["exit"] != "0" || end["text"] != "" {
		t.Errorf("%v", end)
	}
}

// TestTheChainIsRecorded fails if calls that make threads are missed, or recorded
// with the arguments of others.
// TestATrySeriesEndsWithItsThread fails if the refusals before a thread that was made after all
// count for the next one: at a limit of the whole machine any process that ends makes room.
func TestATrySeriesEndsWithItsThread(t *testing.T) {
	const first, second, tries = 11, 12, 20
	c := &counter{running: &running{}, counts: map[int]*count{}}
	c.refuse(first, cloneThread, 11)
	c.refuse(second, cloneThread, 11)
	c.gave(first, cloneThread, 99)
	if c.first != second || c.counts[second].refused != 1 {
		t.Errorf("the thread that is still refused: %d, %+v", c.first, c.counts)
	}
	c.gave(second, cloneThread, 98)
	for i := 0; i < tries; i++ {
		c.refuse(first, cloneThread, 11)
	}
	if c.first != first || c.counts[first].refused != tries || c.made != 2 {
		t.Errorf("first %d of %+v, made %d", c.first, c.counts, c.made)
	}
	c.lift = func() syscall.Errno { return 0 }
	c.gave(first, cloneThread, 97)
	if c.counts[first].refused != tries {
		t.Errorf("after the limit was raised: %+v", c.counts[first])
	}
}

func TestTheChainIsRecorded(t *testing.T) {
	steps := observe(t, "chain")
	k, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	if c := steps["chain.clone"].Values; c["flags"] != list(map[uint64]int{k.GoThread: 1}) || c["outside"] != "0" {
		t.Errorf("%v", c)
	}
	for step, want := range map[string][2]string{
		"cloning": {"runtime.clone runtime.newosproc", " runtime.newm1 runtime.newm "},
		"started": {"runtime.sigaltstack runtime.minitSignalStack", " runtime.mstart1 runtime.mstart0 runtime.mstart"},
	} {
		o := steps["chain."+step]
		frames := o.Values["frames"]
		if !strings.HasPrefix(frames, want[0]) || !strings.Contains(frames+" ", want[1]) || o.Unknown != nil {
			t.Errorf("%s: %+v", step, o)
		}
	}
}

// TestAHangEnds fails if a program that does nothing blocks the probe, or is taken
// for one that ended.
func TestAHangEnds(t *testing.T) {
	t.Setenv("NEWOSPROC_TEST_HANG", "sleep")
	k, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{true, false} {
		done := make(chan words)
		go func() {
			runtime.LockOSThread() // never unlocked, because the tracer is one thread
			r := &running{p: &probe.P{Kernel: k}, limit: 100 * time.Millisecond,
				program: trace.Program{Path: "/proc/self/exe", Args: []string{"hang"}, Env: os.Environ(), Filter: trace.Filter(trace.Stop, k.Syscall.Clone3)}}
			if plain {
				done <- r.alone()
				return
			}
			done <- r.followed(func(trace.Halt) (trace.Way, error) { return r.way(), nil })
		}()
		if said := <-done; said.err != nil || !said.hung || !said.status.Signaled() {
			t.Errorf("plain %t: %+v", plain, said)
		}
	}
}

func TestFramesAreTheRuntimesStack(t *testing.T) {
	const traceback = `
runtime stack:
runtime.throw({0x1, 0x2})
	runtime/panic.go:1229 +0x48 fp=0x7f sp=0x7e pc=0x48
runtime.(*mheap).grow(0x1)
	runtime/mheap.go:1 +0x1
runtime.newosproc.func1()
	runtime/os_linux.go:1 +0x1

goroutine 1 [running, locked to thread]:
main.main()
`
	if got, want := frames(traceback), "runtime.throw runtime.(*mheap).grow runtime.newosproc.func1"; got != want {
		t.Errorf("%q", got)
	}
	for _, text := range []string{"", "runtime stack:", "runtime stack:\n(\n\t(\n"} {
		if got := frames(text); got != "" {
			t.Errorf("%q gives %q", text, got)
		}
	}
}

// TestFlagsHaveTheArchitecturesNames fails if flags get the names that they have on
// amd64, for example 0x802 on mips64le.
func TestFlagsHaveTheArchitecturesNames(t *testing.T) {
	for arch, word := range map[string]uint64{"amd64": 0x32, "mips64le": 0x812, "alpha": 0x112} {
		table, _ := abi.Lookup(arch)
		got := names(map[uint64]int{word: 1, word | 1<<40: 2}, mapNames(table.Map))
		const want = "MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS"
		if got != want+" "+want+"|0x10000000000" {
			t.Errorf("%s: %s", arch, got)
		}
	}
	if got := names(map[uint64]int{0: 1, 0x50f00: 1}, cloneNames()); got !=
		"0x0 CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM" {
		t.Error(got)
	}
}

// TestACauseThatIsAbsentSaysSo fails if a kernel without a controller is asked for its
// limit, which used to end the probe, or if one that has it is not asked.
func TestACauseThatIsAbsentSaysSo(t *testing.T) {
	root, sysctls := t.TempDir(), t.TempDir()
	pids, machine, user := cause{name: "pids", controller: "pids"}, cause{name: "pid_max", sysctl: "kernel/pid_max"}, cause{name: "nproc"}
	says := func(c cause, want string) {
		t.Helper()
		if got := c.absent(root, sysctls); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
	says(pids, "cgroup.controllers does not exist")
	says(machine, "kernel/pid_max does not exist")
	says(user, "")
	for text, want := range map[string]string{"cpu memory\n": `has "cpu memory", without pids`, "": `has "", without pids`, "cpu pids\n": ""} {
		if err := os.WriteFile(root+"/cgroup.controllers", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		says(pids, want)
	}
	if err := os.MkdirAll(sysctls+"/kernel/pid_max", 0o700); err != nil {
		t.Fatal(err)
	}
	says(machine, "")
}

// TestWhatCannotBePreparedIsNoPanic fails if one cause that cannot be set up ends the
// probe, and what was set up before it stays.
func TestWhatCannotBePreparedIsNoPanic(t *testing.T) {
	if at, err := prepare(cause{name: "x", sysctl: "kernel/mapstack-has-no-such-sysctl"}); err == nil {
		t.Errorf("prepared %+v", at)
	}
	var undone []int
	at := &venue{undo: []func(){func() { undone = append(undone, 1) }, func() { undone = append(undone, 2) }}}
	if at.restore(); len(undone) != 2 || undone[0] != 2 {
		t.Errorf("undone: %v", undone)
	}
}

// TestThreadsOfGoroutinesEnd fails if other threads of the runtime are taken for those
// that were held, or those for gone while they live.
func TestThreadsOfGoroutinesEnd(t *testing.T) {
	steps, status := steps(t, "-child", "exits")
	if v := steps["ended"].Values; status != 0 || v["held"] != "30" || v["left"] != "0" {
		t.Errorf("status %d, %v", status, v)
	}
	if n := living(map[int]bool{os.Getpid(): true, -1: true}); n != 1 {
		t.Errorf("%d of one thread live", n)
	}
}
