package cases

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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/poc/limit"
)

// scene is one case while it is tried.
type scene struct {
	t *testing.T
	situation
	programs string
	user     uint32
	dir      string // of this case
	group    string // the folder of the group that is entered; "" for none

	exit   int
	output string
	said   diagnose.Report
}

// most bounds how long a case may take. Emulated guests are slow.
const most = 2 * time.Minute

// try runs the program below diagnose, and returns what the report says wrongly.
func (s *scene) try() []string {
	if s.own && s.programs != guestFolder {
		s.t.Skip("not run: it changes settings of the whole machine, and is tried in a guest")
	}
	s.dir = open(s.t)
	s.makeGroup()
	s.keepSettings()
	s.makeRoot()

	ctx, cancel := context.WithTimeout(s.t.Context(), most)
	defer cancel()
	outside, inside := s.places()
	report := filepath.Join(s.dir, "report.json")
	words := []string{s.path(Mapstack), "diagnose", "--json", "-o", report}
	if s.own {
		words = words[:3] // there may be no memory for a file
	}
	var cmd *exec.Cmd
	var already *process
	if s.attach {
		already = s.begin(ctx, outside)
		cmd = command(ctx, append(words, "--pid", strconv.Itoa(already.cmd.Process.Pid)))
	} else {
		if s.before != nil {
			already = s.begin(ctx, &entrance{User: s.user})
		}
		if root := outside.root(); root != "" {
			words = []string{"/" + Mapstack, "diagnose", "--json", "-o", "/report.json"}
			report = filepath.Join(root, "report.json")
		}
		program := inside.through(s.seen(outside, Tests), s.words(outside, inside))
		if s.some && command(ctx, outside.through(s.path(Tests), program)).Run() == nil {
			s.t.Skip("not run: this kernel refuses nothing here")
		}
		words = append(append(words, "--"), program...)
		cmd = command(ctx, outside.through(s.path(Tests), words))
	}
	s.diagnose(cmd, already)
	s.read(report)
	for tick := time.NewTicker(100 * time.Millisecond); s.later && len(s.wrong()) > 0 && ctx.Err() == nil; {
		<-tick.C
		s.read(report)
	}
	return s.wrong()
}

// command returns a command that is killed with everything that it started.
func command(ctx context.Context, words []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a daemon holds the pipe open
	return cmd
}

// path returns where a program is on this machine. It skips where it could not be made.
func (s *scene) path(name string) string {
	if why, err := os.ReadFile(filepath.Join(s.programs, name+".absent")); err == nil {
		s.t.Skipf("not run: %s is missing: %s", name, why)
	}
	if s.programs == guestFolder && slices.ContainsFunc(subjects, func(p subject) bool { return p.name == name && p.flags != nil }) {
		s.t.Skipf("not run: %s needs the loader and the libraries of a host", name)
	}
	return filepath.Join(s.programs, name)
}

// seen returns the path of a program as it is in a place.
func (s *scene) seen(in *entrance, name string) string {
	if in.root() != "" {
		return "/" + name
	}
	return s.path(name)
}

// words returns the words of the program with paths for names.
func (s *scene) words(outside, inside *entrance) []string {
	at := outside
	if inside.root() != "" {
		at = inside
	}
	words := slices.Clone(s.program)
	if words[0] == play {
		words = append([]string{Tests}, words...)
	}
	for i, w := range words {
		if w == "self" {
			words[i] = s.seen(at, Tests)
		} else if i == 0 || slices.ContainsFunc(subjects, func(p subject) bool { return p.name == w }) {
			words[i] = s.seen(at, w)
		}
	}
	if s.mode != 0 {
		own := filepath.Join(s.dir, "program")
		copyProgram(words[0], own, s.mode)
		words[0] = own
	}
	return words
}

func copyProgram(from, to string, mode uint32) {
	b, err := os.ReadFile(from)
	limit.Must(err)
	limit.Must(os.WriteFile(to, b, 0o755))
	limit.Must(syscall.Chmod(to, mode))
}

// makeGroup makes the control group of the case.
func (s *scene) makeGroup() {
	for controller, n := range map[string]int{"pids": s.pids, "memory": s.memory} {
		if n == 0 {
			continue
		}
		h, there := limit.Find(controller)
		if !there {
			s.t.Skipf("not run: no control groups of %s are mounted", controller)
		}
		s.t.Cleanup(h.Root.Offer(controller))
		limited := h.Root.Below(filepath.Base(s.dir))
		s.t.Cleanup(limited.Clear)
		// Before Linux 5.11 version 1 ignores the limits of the groups above.
		if s.below && h.Version == 1 && controller == "memory" {
			_ = limited.Write("memory.use_hierarchy", "1")
		}
		s.group = string(limited)
		if s.below {
			own := limited.Below("own")
			s.t.Cleanup(own.Clear)
			s.group = string(own)
		}
		file := map[string]string{"pids1": "pids.max", "pids2": "pids.max", "memory1": "memory.limit_in_bytes", "memory2": "memory.max"}[controller+strconv.Itoa(h.Version)]
		limited.Put(file, strconv.Itoa(n))
	}
}

// keepSettings writes the settings of the machine back that the case changes.
func (s *scene) keepSettings() {
	if !s.own {
		return
	}
	for name := range s.outside.Write {
		was, err := os.ReadFile(name)
		limit.Must(err)
		s.t.Cleanup(func() { limit.Must(os.WriteFile(name, was, 0)) })
	}
}

// makeRoot makes the folder that stands for another root.
func (s *scene) makeRoot() {
	for _, e := range []*entrance{s.outside, s.inside} {
		if e.root() == "" {
			continue
		}
		root := filepath.Join(s.dir, itsRoot)
		limit.Must(os.Mkdir(root, 0o755))
		for _, name := range []string{Mapstack, Tests} {
			copyProgram(s.path(name), filepath.Join(root, name), 0o755)
		}
	}
}

// places returns the places outside of diagnose and inside, with what is the case's own.
func (s *scene) places() (outside, inside *entrance) {
	outside, inside = s.ownPlace(s.outside), s.ownPlace(s.inside)
	add := func(e *entrance) *entrance {
		if e == nil {
			return &entrance{}
		}
		return e
	}
	if s.alone {
		outside = add(outside)
		outside.User = s.user
	}
	if s.group != "" && s.moved {
		inside = add(inside)
		inside.Groups = []string{s.group}
	} else if s.group != "" {
		outside = add(outside)
		outside.Groups = []string{s.group}
	}
	return outside, inside
}

// ownPlace returns a copy of a place with what stands for the case's own.
func (s *scene) ownPlace(e *entrance) *entrance {
	if e == nil {
		return nil
	}
	own := *e
	if own.User == itsUser {
		own.User = s.user
	}
	if own.Root == itsRoot {
		own.Root = filepath.Join(s.dir, itsRoot)
	}
	own.Within = s.ownPlace(own.Within)
	return &own
}

// process is a program that runs already.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

// begin starts the program that runs before, and waits until it is up.
func (s *scene) begin(ctx context.Context, at *entrance) *process {
	words := slices.Clone(s.before)
	words[0] = s.path(words[0])
	cmd := command(ctx, at.through(s.path(Tests), words))
	stdin, err := cmd.StdinPipe()
	limit.Must(err)
	stdout, err := cmd.StdoutPipe()
	limit.Must(err)
	limit.Must(cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Cancel()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "up\n" {
		s.t.Fatalf("%v: %q, %v", s.before, line, err)
	}
	return &process{cmd, stdin}
}

// diagnose runs the command. If it attaches, it tells the program to go on, or diagnose
// to end, once the program is traced.
func (s *scene) diagnose(cmd *exec.Cmd, already *process) {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	limit.Must(cmd.Start())
	if s.attach {
		pid := already.cmd.Process.Pid
		for tick := time.NewTicker(10 * time.Millisecond); !traced(pid) && alive(cmd.Process.Pid); {
			<-tick.C
		}
		if s.stop {
			limit.Must(cmd.Process.Signal(os.Interrupt))
		} else {
			limit.Must(already.stdin.Close())
		}
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, out.String())
	}
	s.exit, s.output = statusOf(cmd.ProcessState), out.String()
}

// ends returns the beginning and the end of a text: the stacks of a Go program between
// them say nothing here.
func ends(text string) string {
	const enough = 800 // bytes of each
	if len(text) <= 2*enough {
		return text
	}
	return text[:enough] + "\n[...]\n" + text[len(text)-enough:]
}

// statusOf returns an exit status as a shell shows it.
func statusOf(state *os.ProcessState) int {
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return state.ExitCode()
}

func traced(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return !strings.Contains(string(b), "\nTracerPid:\t0\n")
}

// alive reports whether a child of this process has not ended.
func alive(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return len(b) > 0 && !strings.Contains(string(b), "\nState:\tZ")
}

// read reads the report.
func (s *scene) read(name string) {
	b, err := os.ReadFile(name)
	if s.own {
		b, err = []byte(lastReport(s.output)), nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.said)
	}
	if err != nil {
		s.said = diagnose.Report{Verdict: "no report: " + err.Error()}
	}
}

// lastReport finds the last report in what diagnose and the program have written.
func lastReport(output string) (report string) {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, `{"schema":`) {
			report = line
		}
	}
	return report
}

// named returns the causes of the report.
func (s *scene) named() string {
	var list []string
	for _, c := range s.said.Causes {
		list = append(list, fmt.Sprintf("%s %s", c.Certainty, c.ID))
	}
	return strings.Join(list, ", ")
}

// wrong compares the report with what it must say.
func (s *scene) wrong() (list []string) {
	if s.want.exit != anyExit && s.exit != s.want.exit {
		list = append(list, differs("the exit status", s.exit, s.want.exit))
	}
	if s.want.verdict != "" && s.said.Verdict != s.want.verdict {
		list = append(list, differs("the verdict", s.said.Verdict, s.want.verdict))
	}
	list = append(list, s.wrongFailure()...)
	list = append(list, s.wrongCauses()...)
	return append(list, s.wrongWords()...)
}

func differs(what string, got, want any) string {
	return fmt.Sprintf("%s is %v, want %v", what, got, want)
}

// wrongFailure compares the call that was refused.
func (s *scene) wrongFailure() (list []string) {
	w, f := s.want, s.said.Failure
	call := ""
	switch {
	case f != nil:
		call = f.Call
	case s.said.Death != nil:
		call = s.said.Death.Call
	}
	if f == nil {
		f = &diagnose.Failure{}
	}
	if prefix, any := strings.CutSuffix(w.call, "*"); w.call != "" && call != w.call && !(any && strings.HasPrefix(call, prefix)) {
		list = append(list, differs("the call", call, w.call))
	}
	if w.want != "" && f.Want != w.want {
		list = append(list, differs("what it was for", f.Want, w.want))
	}
	if w.errno != "" && f.Name != w.errno {
		list = append(list, differs("the error", f.Name, w.errno))
	}
	return list
}

// wrongCauses compares the causes, and what was not watched.
func (s *scene) wrongCauses() (list []string) {
	w := s.want
	var first diagnose.Cause
	if len(s.said.Causes) > 0 {
		first = s.said.Causes[0]
	}
	if (w.cause != "" || w.verdict == "fine") && first.ID != w.cause {
		list = append(list, differs("the first cause", first.ID, w.cause))
	}
	if w.how != "" && first.Certainty != w.how {
		list = append(list, differs("its certainty", first.Certainty, w.how))
	}
	for _, c := range s.said.Causes {
		if slices.Contains(w.never, c.ID) {
			list = append(list, "it names "+c.ID)
		}
	}
	if w.gap != "" && !slices.ContainsFunc(s.said.Gaps, func(g diagnose.Gap) bool { return g.Reason == w.gap }) {
		list = append(list, differs("what was not watched", s.said.Gaps, w.gap))
	}
	return list
}

// wrongWords looks for words where no ID says what matters.
func (s *scene) wrongWords() (list []string) {
	text := s.said.Explanation.English
	for _, n := range s.said.Needs {
		text += "\n" + n.English
	}
	for _, c := range s.said.Causes {
		for _, r := range c.Raise {
			text += "\n" + r.Command + " " + r.When.English
		}
	}
	if says := s.want.says; len(says) > 0 && !slices.ContainsFunc(says, func(w string) bool { return strings.Contains(text, w) }) {
		list = append(list, fmt.Sprintf("it says none of %q", says))
	}
	if w := s.want.sentence; !strings.Contains(s.said.Explanation.English, w) || !strings.Contains(s.said.Explanation.Chinese, w) {
		list = append(list, fmt.Sprintf("the explanation does not say %q", w))
	}
	if !strings.Contains(s.output, s.want.output) {
		list = append(list, fmt.Sprintf("%q is not written", s.want.output))
	}
	if strings.Contains(s.output, "%!") {
		list = append(list, "a message has a format in it")
	}
	return list
}
