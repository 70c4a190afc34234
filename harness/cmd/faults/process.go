package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxRun bounds a run. The slowest one builds a snapshot on a busy host, behind a mirror that
// stalls.
const maxRun = 20 * time.Minute

// process is one run of mapstack.
type process struct {
	cmd   *exec.Cmd
	out   string // the folder that was given for its evidence
	ended chan struct{}

	mu   sync.Mutex
	text bytes.Buffer // standard output and error
	hung bool
}

// Write keeps what the run prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// startProcess starts mapstack, by the command that sets its limits if there is one.
func (r *rig) startProcess(limits, argv, env []string, out string) (*process, error) {
	argv = slices.Concat(limits, argv)
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), out: out, ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	pid := p.cmd.Process.Pid
	r.waited.Store(pid, true)
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its state says how it ended
		r.waited.Delete(pid)
	}()
	return p, nil
}

// wait waits for the end. A run that does not end in time shows where it hangs.
func (p *process) wait() {
	select {
	case <-p.ended:
		return
	case <-time.After(maxRun):
	}
	p.mu.Lock()
	p.hung = true
	p.mu.Unlock()
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// code returns the exit status; -1 if a signal ended the run.
func (p *process) code() int { return p.cmd.ProcessState.ExitCode() }

// killed reports whether SIGKILL ended the run.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// stillborn reports whether a signal ended the run before it had begun: a program that has not
// asked for a signal yet is ended by it.
func (p *process) stillborn() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGTERM && p.said() == "" && p.folder() == ""
}

// folder returns the folder of the run's evidence; "" if it made none.
func (p *process) folder() string {
	names := slices.DeleteFunc(left(p.out), func(name string) bool { return name == "latest" }) // the link to it
	if len(names) == 1 {
		return filepath.Join(p.out, names[0])
	}
	return ""
}

func (p *process) outcomes() (outcomes, error) {
	folder := p.folder()
	if folder == "" {
		return nil, fmt.Errorf("it left no folder of evidence")
	}
	_, found, err := readOutcomes(folder)
	return found, err
}

// finished matches the line that says that a cell has ended, and how.
var finished = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  (\S+) +finished: (conformant)$`)

// finishedCells returns the cells that had ended well, as the run said itself.
func (p *process) finishedCells() []string {
	var cells []string
	for _, m := range finished.FindAllStringSubmatch(p.said(), -1) {
		cells = append(cells, m[1])
	}
	return cells
}

// others returns the processes besides this one, as "pid command". It collects those that have
// ended: this process is the first of its namespace, and inherits them.
func (r *rig) others() []string {
	var alive []string
	for _, name := range left("/proc") {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		if parent, state := stat(pid); state == "Z" && parent == os.Getpid() {
			if _, ours := r.waited.Load(pid); !ours {
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
			continue
		} else if state == "" {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", name, "cmdline"))
		alive = append(alive, name+" "+strings.Join(strings.FieldsFunc(string(command), func(r rune) bool { return r == 0 }), " "))
	}
	return alive
}

// stat returns a process's parent and its state; "" if it has gone.
func stat(pid int) (parent int, state string) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, ""
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	parent, _ = strconv.Atoi(fields[1])
	return parent, fields[0]
}

// emulators returns the process ids of running QEMUs.
func (r *rig) emulators() (pids []int) {
	for _, p := range r.others() {
		if name, rest, _ := strings.Cut(p, " "); strings.Contains(rest, "qemu-system-") && !strings.Contains(rest, "mapstack run") {
			pid, _ := strconv.Atoi(name)
			pids = append(pids, pid)
		}
	}
	return pids
}

// heldLocks returns the locks of the cache that somebody still holds.
func heldLocks(cache string) (held []string) {
	dir := filepath.Join(cache, "lock")
	for _, name := range left(dir) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			held = append(held, name)
		}
		_ = f.Close()
	}
	return held
}

// crash returns the first line of a crash of the Go program in a text; "" if there is none.
func crash(text string) string {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		for _, begin := range []string{"panic: ", "fatal error: ", "runtime: ", "SIGQUIT: "} {
			if strings.HasPrefix(line, begin) {
				return line
			}
		}
	}
	return ""
}

// environment returns this process's environment without what decides where a run looks, and
// with the given settings.
func environment(set ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "MAPSTACK_") || name == "XDG_CACHE_HOME" || name == "TMPDIR" || name == "GOCACHE"
	})
	return append(env, set...)
}
