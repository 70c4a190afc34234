package watch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// roles are what this binary does when a test starts it. A watch waits for every
// child of its process, so each runs in a process of its own.
var roles = map[string]func(){
	"threads": threads, "quiet": func() {}, "status": func() { os.Exit(7) }, "refused": refused,
	"speak": func() { fmt.Fprint(os.Stderr, "one ", "two\n") },
	"abort": func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) },
	"run":   func() { must(Launch(child(), adopter)) }, "adopt": adopt, "listen": listen, "attach": attach,
	"wait":    waitForEnd,
	"failing": failing, "killed": func() { killedAt(unix.SECCOMP_RET_KILL_PROCESS) }, "parent": parent,
	"leaver": leaver, "orphan": orphan, "alive": func() { fmt.Println("ALIVE") }, "untraced": untraced, "family": family,
	"calls": calls, "storm": storm, "serve": serve, "run every": func() { must(runEvery()) },
	"limited": func() { must(limited()) },
	"nowhere": func() { must(Launch(Program{Path: "/nowhere", Args: []string{"nowhere"}}, adopter)) },
}

// init keeps this goroutine on the main thread, as Adopt demands.
func init() {
	if os.Getenv("WATCH_TEST_ROLE") == "adopt" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if role := os.Getenv("WATCH_TEST_ROLE"); role != "" {
		roles[role]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// threads makes four threads, one after another, and a process.
func threads() {
	for range 4 {
		up := make(chan bool)
		go func() {
			runtime.LockOSThread() // and never unlocked: each needs a thread of its own
			up <- true
		}()
		<-up
	}
	child := exec.Command("/proc/self/exe")
	child.Env = []string{"WATCH_TEST_ROLE=quiet"}
	_ = child.Run()
}

// refused installs a filter that refuses clone, and calls clone itself, because the
// runtime would not survive the refusal.
func refused() {
	runtime.LockOSThread()
	k, err := sys.Running()
	if err != nil {
		panic(err)
	}
	if _, errno := k.Prctl(38, 1, 0, 0, 0); errno != 0 { // PR_SET_NO_NEW_PRIVS
		panic(errno)
	}
	if _, errno := trace.Install(k, 0, trace.Filter(trace.Error|uint32(k.Errno("ENOSYS")), k.Syscall.Clone)); errno != 0 {
		panic(errno)
	}
	_, errno := k.Clone(&sys.CloneArgs{Flags: 0x50f00})
	fmt.Println("errno", int(errno))
}

// waitForEnd makes threads for each byte of its input, until that ends.
func waitForEnd() {
	var b [1]byte
	for {
		if n, _ := os.Stdin.Read(b[:]); n == 0 {
			return
		}
		threads()
		fmt.Println("made")
	}
}

// log is what an observer heard.
type log struct {
	PID      int
	Attempts []Attempt
	Deaths   []Death
	Gaps     []Gap
	Said     string
	Filters  int
	Problem  string
	Status   uint32
	Ended    bool
	Error    string
	// Forbidden reports that the error is ErrForbidden.
	Forbidden bool
	onStart   func()
}

func (l *log) Started(pid int) {
	l.PID = pid
	if l.onStart != nil {
		l.onStart()
	}
}

func (l *log) Woke() {}

func (l *log) Died(d Death, _ Thread) { l.Deaths = append(l.Deaths, d) }

func (l *log) Unwatched(g Gap) { l.Gaps = append(l.Gaps, g) }

func (l *log) Wrote(_ int, p []byte) { l.Said += string(p) }

func (l *log) Attempt(a Attempt, t Thread) {
	if os.Getenv("WATCH_TEST_PANIC") != "" {
		panic("a bug")
	}
	l.Attempts = append(l.Attempts, a)
	if a.Errno != 0 {
		filters, err := t.Filters()
		l.Filters = len(filters)
		if err != nil {
			l.Problem = err.Error()
		}
	}
}

func (l *log) print() {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	fmt.Printf("\nLOG %s\n", b)
}

// child is the role of WATCH_TEST_CHILD, or the program of that path.
func child() Program {
	if path := os.Getenv("WATCH_TEST_CHILD"); filepath.IsAbs(path) {
		return Program{Path: path, Args: []string{path}, Env: os.Environ()}
	}
	return Program{Path: "/proc/self/exe", Args: []string{"child"}, Env: withRole(os.Getenv("WATCH_TEST_CHILD"))}
}

// withRole returns the environment with another role. The old one must not stay: of two
// values some take the first and some the last.
func withRole(role string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WATCH_TEST_ROLE=") })
	return append(env, "WATCH_TEST_ROLE="+role)
}

// adopter is what starts the process that watches.
func adopter(a Adoption) (Program, error) {
	spec, err := json.Marshal(a)
	return Program{Path: "/proc/self/exe", Args: []string{"adopt"}, Env: append(withRole("adopt"), "WATCH_TEST_ADOPTION="+string(spec))}, err
}

// runEvery becomes the child without a filter of the watch, because it has a filter
// already, which lets everything pass.
func runEvery() error {
	runtime.LockOSThread()
	k, err := sys.Running()
	if err != nil {
		return err
	}
	if _, errno := k.Prctl(38, 1, 0, 0, 0); errno != 0 { // PR_SET_NO_NEW_PRIVS
		return errno
	}
	if _, errno := trace.Install(k, 0, trace.Filter(trace.Allow)); errno != 0 {
		return errno
	}
	return Launch(child(), adopter)
}

// limited becomes the child with the resource limit of WATCH_TEST_LIMIT.
func limited() error {
	var resource, n uint64
	if _, err := fmt.Sscan(os.Getenv("WATCH_TEST_LIMIT"), &resource, &n); err != nil {
		return err
	}
	k, err := sys.Running()
	if err != nil {
		return err
	}
	if errno := k.Prlimit64(resource, &sys.Rlimit{Current: n, Max: n}, nil); errno != 0 {
		return errno
	}
	return Launch(child(), adopter)
}

// adopt watches and prints what it heard, before the program's user learns that the
// program has ended.
func adopt() {
	var a Adoption
	must(json.Unmarshal([]byte(os.Getenv("WATCH_TEST_ADOPTION")), &a))
	var l log
	must(Adopt(a, Options{Observer: &l, Ended: func(status syscall.WaitStatus) { l.finish(status, nil) }}))
}

// listen hears the role of WATCH_TEST_CHILD and prints what it heard.
func listen() {
	var l log
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	status, err := Listen(context.Background(), child(), Options{Observer: &l, Signals: signals})
	l.finish(status, err)
}

func must(err error) {
	if errors.Is(err, ErrForbidden) {
		(&log{}).finish(0, err)
		os.Exit(0)
	}
	if err != nil {
		panic(err)
	}
}

func (l *log) finish(status syscall.WaitStatus, err error) {
	l.Status = uint32(status)
	if err != nil {
		l.Error, l.Forbidden = err.Error(), errors.Is(err, ErrForbidden)
	}
	l.print()
}

// attach watches the process WATCH_TEST_PID until its own input ends.
func attach() {
	var pid int
	if _, err := fmt.Sscan(os.Getenv("WATCH_TEST_PID"), &pid); err != nil {
		panic(err)
	}
	l := log{onStart: func() { fmt.Println("ATTACHED") }}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		stop()
	}()
	status, ended, err := Attach(ctx, pid, Options{Observer: &l})
	l.Ended = ended
	l.finish(status, err)
}

func role(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(append(os.Environ(), env...), "WATCH_TEST_ROLE="+name)
	return cmd
}

func heard(t *testing.T, out []byte) log {
	t.Helper()
	_, text, ok := bytes.Cut(out, []byte("\nLOG "))
	var l log
	if err := json.Unmarshal(bytes.SplitN(text, []byte("\n"), 2)[0], &l); !ok || err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if l.Forbidden {
		t.Skip(l.Error)
	}
	return l
}

func run(t *testing.T, how, what string) (log, string, string) {
	t.Helper()
	cmd := role(t, how, "WATCH_TEST_CHILD="+what)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return heard(t, out), string(out), stderr.String()
}

func TestEveryThreadAndProcessIsSeen(t *testing.T) {
	l, _, _ := run(t, "run", "threads")
	made, processes := 0, 0
	for _, a := range l.Attempts {
		switch {
		case a.Errno != 0:
		case a.Thread() && a.PID == l.PID:
			made++
		case a.Call == "clone" && !a.Thread() && a.PID == l.PID:
			processes++
		}
	}
	if made < 4 || processes < 1 || l.Status != 0 || l.Error != "" {
		t.Errorf("%d threads, %d processes, %+v", made, processes, l)
	}
}

// TestAFiltersRefusalIsSeen fails if calls are watched by a filter, which misses what
// the program's own filter refuses.
func TestAFiltersRefusalIsSeen(t *testing.T) {
	l, out, _ := run(t, "run", "refused")
	k, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	want := k.Errno("ENOSYS")
	if !strings.Contains(out, fmt.Sprintln("errno", want)) {
		t.Fatal(out)
	}
	i := slices.IndexFunc(l.Attempts, func(a Attempt) bool { return a.Errno != 0 && a.Call == "clone" })
	if i < 0 {
		t.Fatalf("%+v", l)
	}
	if a := l.Attempts[i]; a.Errno != want || a.Flags != 0x50f00 || !a.Thread() || a.Args == [6]uint64{} {
		t.Errorf("%+v", a)
	}
	if l.Filters != 1 && !strings.Contains(l.Problem, "cannot be read") {
		t.Errorf("%d filters, %q", l.Filters, l.Problem)
	}
}

func TestTheProgramsEndIsKept(t *testing.T) {
	for _, how := range []string{"run", "listen"} {
		for what, want := range map[string]syscall.WaitStatus{"quiet": 0, "status": 7 << 8, "abort": 9} {
			if l, _, _ := run(t, how, what); syscall.WaitStatus(l.Status) != want || l.Error != "" {
				t.Errorf("%s %s: %+v", how, what, l)
			}
		}
	}
}

// TestALimitEndsNoProgramWithItsWatcher fails if a program dies because a resource limit
// ends the Go runtime of the process that watches it. It once did in some of several runs.
func TestALimitEndsNoProgramWithItsWatcher(t *testing.T) {
	raised := capable(unix.CAP_SYS_RESOURCE)
	for _, c := range []struct {
		name        string
		resource, n uint64
		watched     bool
	}{
		// Not RLIMIT_AS: a test with cgo has more addresses already.
		{"DATA", unix.RLIMIT_DATA, 160<<20 - 1, raised},
		{"STACK", unix.RLIMIT_STACK, 64 << 10, false}, {"NOFILE", unix.RLIMIT_NOFILE, 6, false},
		{"CPU", unix.RLIMIT_CPU, 1000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 {
				cmd := role(t, "limited", "WATCH_TEST_CHILD=/bin/false", fmt.Sprintf("WATCH_TEST_LIMIT=%d %d", c.resource, c.n))
				var said strings.Builder
				cmd.Stdout, cmd.Stderr = &said, &said
				_ = cmd.Run() // ProcessState has the result
				forbidden := strings.Contains(said.String(), `"Forbidden":true`)
				unwatched := strings.Contains(said.String(), "RLIMIT_"+c.name) && strings.Contains(said.String(), "the program is not watched")
				if forbidden && c.watched {
					t.Skipf("not run: %s", said.String())
				}
				if cmd.ProcessState.ExitCode() != 1 || unwatched == c.watched {
					t.Fatalf("%v: %s", cmd.ProcessState, said.String())
				}
			}
		})
	}
}

// TestStandardErrorIsHeardAndPassedOn fails if the output of the program is lost, or
// not reported.
func TestStandardErrorIsHeardAndPassedOn(t *testing.T) {
	for _, how := range []string{"run", "listen"} {
		if l, _, stderr := run(t, how, "speak"); l.Said != "one two\n" || stderr != "one two\n" {
			t.Errorf("%s: heard %q, passed on %q", how, l.Said, stderr)
		}
	}
}

// TestSignalsReachTheProgram fails if a program outlives a signal that its watcher
// got.
func TestSignalsReachTheProgram(t *testing.T) {
	for _, how := range []string{"run", "listen"} {
		cmd := role(t, how, "WATCH_TEST_CHILD=wait")
		in, out := start(t, cmd)
		tell(t, in, out) // it runs
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if l := heard(t, rest(t, out)); syscall.WaitStatus(l.Status).Signal() != syscall.SIGTERM {
			t.Errorf("%s: %+v", how, l)
		}
		_ = cmd.Wait()
	}
}

// TestAProgramIsLeftAsItWas fails if the calls of a program that was attached to are
// missed, or if it does not go on after the watch.
func TestAProgramIsLeftAsItWas(t *testing.T) {
	program := role(t, "wait")
	in, out := start(t, program)
	tell(t, in, out)
	watcher := role(t, "attach", fmt.Sprint("WATCH_TEST_PID=", program.Process.Pid))
	// Where Yama is on, only a parent may trace, and the test skips.
	stop, seen := start(t, watcher)
	if line, _ := seen.ReadString('\n'); line != "ATTACHED\n" {
		heard(t, append([]byte(line), rest(t, seen)...))
		t.Fatal(line)
	}
	tell(t, in, out)
	if err := stop.Close(); err != nil {
		t.Fatal(err)
	}
	l := heard(t, rest(t, seen))
	_ = watcher.Wait()
	if n := len(l.Attempts); n < 4 || l.Ended || l.Error != "" || l.PID != program.Process.Pid {
		t.Errorf("%d attempts, %+v", n, l)
	}
	tell(t, in, out)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := program.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

func TestNoProcessIsAnError(t *testing.T) {
	if _, _, err := Attach(t.Context(), 1<<30, Options{Observer: &log{}}); err == nil || errors.Is(err, ErrForbidden) {
		t.Errorf("%v", err)
	}
	cmd := role(t, "nowhere")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "/nowhere: no such file") {
		t.Errorf("%v: %s", err, out)
	}
}

// start starts a program and returns its input and output.
func start(t *testing.T, cmd *exec.Cmd) (in io.WriteCloser, out *bufio.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, bufio.NewReader(stdout)
}

// tell makes a waiting program make threads, and waits until that is done.
func tell(t *testing.T, in io.Writer, out *bufio.Reader) {
	t.Helper()
	if _, err := in.Write([]byte{'.'}); err != nil {
		t.Fatal(err)
	}
	if line, err := out.ReadString('\n'); line != "made\n" {
		t.Fatalf("%q, %v", line, err)
	}
}

func rest(t *testing.T, out *bufio.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
