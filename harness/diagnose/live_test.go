package diagnose

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// Variables that tell a process its role, and the argument of the role.
const roleKey, argKey = "DIAGNOSE_TEST_ROLE", "DIAGNOSE_TEST_ARG"

// roles are what this binary does when a test starts it. Most are refused a thread,
// each for another cause.
var roles = map[string]func(arg string){
	"crowd": func(string) { crowd() },
	"nproc": nproc4, "pids": pidsGroup, "seccomp": seccomp, "as": addressSpace,
	"unshare": unshared, "deadline": deadlined, "hang": hanging,
	"words": func(string) {
		fmt.Fprintln(os.Stderr, "runtime: failed to create new OS thread (have 14 already; errno=11)")
	},
}

// init keeps this goroutine on the main thread, as watch.Adopt demands.
func init() {
	if strings.HasPrefix(os.Getenv(roleKey), "watch") {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleKey); role != "" {
		switch role {
		case "diagnose":
			diagnosing()
		case "trace":
			tracing()
		case "watch":
			watching(func(a watch.Adoption) error { return reporting().Adopt(a, []string{"child"}) })
		case "watch silently":
			watching(func(a watch.Adoption) error { return watch.Adopt(a, watch.Options{Observer: silent{}}) })
		}
		roles[role](os.Getenv(argKey))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// diagnosing becomes the role that is diagnosed.
func diagnosing() {
	child := environ(os.Getenv("CHILD_"+roleKey), os.Getenv("CHILD_"+argKey))
	program := watch.Program{Path: "/proc/self/exe", Args: []string{"child", "7"}, Env: child}
	if os.Getenv("CHILD_"+roleKey) == "script" {
		program.Path = os.Getenv("CHILD_" + argKey)
	}
	err := watch.Launch(program, role("watch"))
	if !errors.Is(err, watch.ErrForbidden) {
		must(err)
	}
	o, err := reporting().Listen(context.Background(), program, err)
	must(err)
	fmt.Printf("STATUS %d\n", o.Status)
	os.Exit(0)
}

// environ returns the environment with another role. The old one must not stay: of two
// values some take the first and some the last.
func environ(role, arg string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, roleKey+"=") || strings.HasPrefix(v, argKey+"=")
	})
	return append(env, roleKey+"="+role, argKey+"="+arg)
}

// role returns what starts a process that watches.
func role(name string) func(watch.Adoption) (watch.Program, error) {
	return func(a watch.Adoption) (watch.Program, error) {
		b, err := json.Marshal(a)
		return watch.Program{Path: "/proc/self/exe", Args: []string{name}, Env: environ(name, string(b))}, err
	}
}

// watching is the process that watches.
func watching(adopt func(watch.Adoption) error) {
	var a watch.Adoption
	must(json.Unmarshal([]byte(os.Getenv(argKey)), &a))
	must(adopt(a))
	os.Exit(0)
}

// reporting returns a session that prints its report.
func reporting() Session {
	return Session{Root: os.DirFS("/"), Installed: func(string) bool { return true }, Tell: func(r Report) error {
		b, err := json.Marshal(r)
		fmt.Printf("REPORT %s\n", b)
		return err
	}}
}

// silent observes nothing.
type silent struct{}

func (silent) Started(int)                         {}
func (silent) Attempt(watch.Attempt, watch.Thread) {}
func (silent) Died(watch.Death, watch.Thread)      {}
func (silent) Unwatched(watch.Gap)                 {}
func (silent) Wrote(int, []byte)                   {}
func (silent) Woke()                               {}

// tracing becomes the process that diagnoses, traced: it cannot trace the program then.
func tracing() {
	err := watch.Launch(watch.Program{Path: "/proc/self/exe", Args: []string{"diagnose"}, Env: environ("diagnose", "")}, role("watch silently"))
	impossible("trace", err)
	os.Exit(0)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func crowd() {
	for range 60 {
		up := make(chan bool)
		go func() {
			runtime.LockOSThread() // and never unlocked
			up <- true
			select {}
		}()
		<-up
	}
}

// impossible ends a role that cannot do its work here, and its test skips.
func impossible(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "IMPOSSIBLE %s: %v\n", what, err)
		os.Exit(0)
	}
}

func kernelHere() *sys.Kernel {
	k, err := sys.Running()
	must(err)
	return k
}

// errnoError returns an errno as an error, nil for 0.
func errnoError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func nproc4(string) {
	k := kernelHere()
	must(errnoError(k.Prlimit64(k.Rlimit.NProc, &sys.Rlimit{Current: 4, Max: 5000}, nil)))
	if os.Getuid() == 0 {
		must(syscall.Setuid(65534))
	}
	crowd()
}

func pidsGroup(dir string) {
	must(os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0))
	crowd()
}

// refuse installs a filter that answers an errno to every clone of the threads that threads
// says: trace.AllThreads, or 0 for this one.
func refuse(errno string, threads uintptr) *sys.Kernel {
	k := kernelHere()
	_, problem := k.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	must(errnoError(problem))
	_, problem = trace.Install(k, threads, trace.Filter(trace.Error|uint32(k.Errno(errno)), k.Syscall.Clone))
	impossible("install a filter", errnoError(problem))
	return k
}

func seccomp(errno string) {
	runtime.LockOSThread() // no_new_privs is of one thread
	refuse(errno, trace.AllThreads)
	crowd()
}

func addressSpace(string) {
	k := kernelHere()
	must(errnoError(k.Prlimit64(k.Rlimit.AS, &sys.Rlimit{Current: 60 << 20, Max: ^uint64(0)}, nil)))
	must(os.Setenv(roleKey, "crowd"))
	must(syscall.Exec("/proc/self/exe", []string{"crowd"}, os.Environ()))
}

// goThread are the flags with which the Go runtime makes a thread
// (runtime/os_linux.go).
const goThread = 0x50f00

func unshared(string) {
	runtime.LockOSThread()
	k := kernelHere()
	impossible("unshare", errnoError(k.Unshare(unix.CLONE_NEWPID)))
	_, _ = k.Clone(&sys.CloneArgs{Flags: goThread})
}

func deadlined(string) {
	runtime.LockOSThread()
	k := kernelHere()
	impossible("SCHED_DEADLINE", errnoError(k.SchedSetattr(sys.SchedAttr{
		Policy: census.Deadline, Runtime: 1e6, Deadline: 1e8, Period: 1e8,
	})))
	_, _ = k.Clone(&sys.CloneArgs{Flags: goThread})
}

// hanging does not notice the refusal, like a Go program on riscv64.
func hanging(string) {
	runtime.LockOSThread()
	// Of this thread alone: the runtime itself may want one, which it makes elsewhere.
	_, _ = refuse("EAGAIN", 0).Clone(&sys.CloneArgs{Flags: goThread})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// diagnosed is a role's last report, and its first one, and how it ended.
type diagnosed struct {
	Report
	first  Report
	status syscall.WaitStatus
}

// diagnoseRole starts a process that diagnoses a role, and closes the role's
// input when the report is there. It skips where a program cannot be traced.
func diagnoseRole(t *testing.T, role, arg string) diagnosed {
	t.Helper()
	d := diagnoseAs(t, "diagnose", role, arg)
	if len(d.Needs) > 0 {
		t.Skip(d.Needs)
	}
	return d
}

func diagnoseAs(t *testing.T, how, role, arg string) diagnosed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), roleKey+"="+how, "CHILD_"+roleKey+"="+role, "CHILD_"+argKey+"="+arg)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	must(err)
	stdout, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	var d diagnosed
	told := false
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		if text, ok := strings.CutPrefix(line, "REPORT "); ok {
			d.Report = Report{}
			if err := json.Unmarshal([]byte(text), &d.Report); err != nil {
				t.Fatal(err)
			}
			if !told {
				must(stdin.Close())
				d.first = d.Report
			}
			told = true
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "STATUS "); ok {
			n, _ := strconv.Atoi(text)
			d.status = syscall.WaitStatus(n)
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	if how == "diagnose" && len(d.Needs) == 0 {
		d.status, err = cmd.ProcessState.Sys().(syscall.WaitStatus), nil
	}
	if err != nil || !told {
		t.Fatalf("%v, told %t\n%s", err, told, stderr.String())
	}
	if _, why, ok := strings.Cut(stderr.String(), "IMPOSSIBLE "); ok {
		t.Skip(why)
	}
	return d
}

func (d diagnosed) String() string { return d.Explanation.English + d.Explanation.Chinese }

// TestEachCauseIsNamed fails if a cause is not found on the kernel that runs the test.
func TestEachCauseIsNamed(t *testing.T) {
	root := os.Getuid() == 0
	for _, c := range []struct {
		role, arg, want, errno string
		attempts               int // 0 for any
		privileged             bool
	}{
		{role: "nproc", want: "rlimit-nproc", errno: "EAGAIN", attempts: 20},
		{role: "seccomp", arg: "EAGAIN", want: "seccomp", errno: "EAGAIN", attempts: 20, privileged: true},
		{role: "seccomp", arg: "ENOMEM", want: "seccomp", errno: "ENOMEM", attempts: 1, privileged: true},
		{role: "seccomp", arg: "EPERM", want: "seccomp", errno: "EPERM", attempts: 1, privileged: true},
		{role: "seccomp", arg: "EINVAL", want: "seccomp", errno: "EINVAL", attempts: 1, privileged: true},
		{role: "seccomp", arg: "ENOSYS", want: "seccomp", errno: "ENOSYS", attempts: 1},
		{role: "as", want: "rlimit-as", errno: "ENOMEM"},
		{role: "unshare", want: "pid-namespace", errno: "EINVAL", attempts: 1, privileged: true},
		{role: "deadline", want: "sched-deadline", errno: "EAGAIN", attempts: 1, privileged: true},
	} {
		t.Run(c.role+c.arg, func(t *testing.T) {
			if c.privileged && !root {
				t.Skip("only root may do this, or read a filter")
			}
			d := diagnoseRole(t, c.role, c.arg)
			if d.Verdict != "refused" || d.Failure == nil || len(d.Causes) == 0 {
				t.Fatalf("%s: %+v", d.Verdict, d)
			}
			if f := d.Failure; f.Name != c.errno || c.attempts != 0 && f.Attempts != c.attempts {
				t.Errorf("%+v", f)
			}
			if first := d.Causes[0]; first.ID != c.want || first.Certainty != Is {
				t.Errorf("%s %s: %s", first.Certainty, first.ID, d)
			}
		})
	}
}

// TestAFullControlGroupIsNamed fails if the report does not name the group that has
// the limit. The program's own group has none.
func TestAFullControlGroupIsNamed(t *testing.T) {
	at := "/sys/fs/cgroup/pids"
	if _, err := os.Stat(at); err != nil {
		at = "/sys/fs/cgroup"
	}
	limited := filepath.Join(at, fmt.Sprintf("mapstack-diagnose-%d", os.Getpid()))
	own := filepath.Join(limited, "own")
	if err := os.Mkdir(limited, 0o755); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.Remove(limited) })
	if err := os.WriteFile(filepath.Join(limited, "pids.max"), []byte("20"), 0); err != nil {
		t.Skip(err)
	}
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(own); err != nil {
			t.Errorf("the group stays behind: %v", err)
		}
	})
	d := diagnoseRole(t, "pids", own)
	first := d.Causes[0]
	if first.ID != "cgroup-pids" || first.Certainty != Is || first.Where != limited+"/pids.max" || d.Failure.Attempts != 20 {
		t.Errorf("%+v: %s", first, d)
	}
	if !strings.Contains(first.Raise[0].Command, limited+"/pids.max") {
		t.Errorf("%+v", first.Raise)
	}
}

// TestAProgramThatHangsIsDiagnosed fails if the report waits for the program to end.
func TestAProgramThatHangsIsDiagnosed(t *testing.T) {
	d := diagnoseRole(t, "hang", "")
	if d.first.Program.State != "running" || d.first.Failure == nil || d.first.Failure.Name != "EAGAIN" || d.status != 0 {
		t.Errorf("%+v", d.first)
	}
	if d.Program.State != "exited" || !d.Again || d.Failure == nil {
		t.Errorf("%+v", d)
	}
}

// TestWordsOfOthersAreToldAsTheirs fails if a program that was refused nothing is told
// to have been, because it passes on what another one said.
func TestWordsOfOthersAreToldAsTheirs(t *testing.T) {
	d := diagnoseRole(t, "words", "")
	if d.Failure != nil || len(d.Causes) != 1 || d.Causes[0].ID != "elsewhere" || d.Said == nil {
		t.Errorf("%s", d)
	}
}

// TestWithoutTracingItsWordsAreRead fails if a program is not run or not diagnosed
// where tracing is forbidden, as in some containers.
func TestWithoutTracingItsWordsAreRead(t *testing.T) {
	d := diagnoseAs(t, "trace", "nproc", "")
	if d.Verdict != "refused" || len(d.Needs) < 2 || d.Failure.Attempts != 0 || d.Failure.Name != "EAGAIN" || d.status.ExitStatus() != 2 {
		t.Fatalf("%+v", d)
	}
	// The limit is known only if the program was still there when its words were
	// read. Nothing can ensure that.
	if first := d.Causes[0]; first.ID != "rlimit-nproc" && d.State.User.Processes.Soft == census.Known(4) {
		t.Errorf("%+v", first)
	}
	if d = diagnoseAs(t, "trace", "crowd", ""); d.Verdict != "unknown" || d.status != 0 {
		t.Errorf("%+v", d)
	}
}

// TestAScriptWithoutAShellIsRun fails if a script without #! is no program, though every
// shell runs it.
func TestAScriptWithoutAShellIsRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "script")
	must(os.WriteFile(file, []byte("exit $1\n"), 0o755))
	if d := diagnoseRole(t, "script", file); d.status.ExitStatus() != 7 {
		t.Errorf("%s", d)
	}
}

func TestAProgramThatEndsWellIsLeftAlone(t *testing.T) {
	d := diagnoseRole(t, "crowd", "")
	if d.Verdict != "fine" || len(d.Causes) != 0 || d.status != 0 || d.Program.State != "exited" {
		t.Errorf("%+v", d)
	}
}
