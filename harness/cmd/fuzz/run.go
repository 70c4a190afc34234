package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// programs are the compiled tests of packages.
type programs struct {
	dir    string // where they are
	inputs string // where they keep inputs, as go test -fuzz does
}

// compile compiles the tests of each package, instrumented for coverage.
func compile(ctx context.Context, targets []target) (_ programs, err error) {
	where, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return programs{}, fmt.Errorf("ask Go for its cache: %w", err)
	}
	p := programs{inputs: filepath.Join(strings.TrimSpace(string(where)), "fuzz")}
	if p.dir, err = os.MkdirTemp("", "mapstack-fuzz-"); err != nil {
		return programs{}, err
	}
	defer func() {
		if err != nil {
			p.remove()
		}
	}()
	for _, t := range targets {
		if _, err := os.Stat(p.of(t)); err == nil {
			continue
		}
		out, err := exec.CommandContext(ctx, "go", "test", "-c", "-fuzz", "^"+t.name+"$", "-o", p.of(t), "./"+t.dir).CombinedOutput()
		if err != nil {
			return programs{}, fmt.Errorf("compile the tests of %s: %w\n%s", t.dir, err, out)
		}
	}
	return p, nil
}

func (p programs) of(t target) string {
	return filepath.Join(p.dir, strings.ReplaceAll(t.dir, "/", "_")+".test")
}

func (p programs) remove() { _ = os.RemoveAll(p.dir) }

// result is what a target did in a run.
type result struct {
	target     target
	wall, cpu  time.Duration
	executions uint64
	kept       uint64 // inputs that reached new code
	problem    error  // it found an input that fails, or could not run
	output     string
}

func (r result) String() string {
	s := fmt.Sprintf("%s: %s, %s of CPU, %d executions, %d inputs kept", r.target, r.wall.Round(time.Second), r.cpu.Round(time.Second), r.executions, r.kept)
	if r.problem != nil {
		s += ", FAILED"
	}
	return s
}

// run runs a target until its time is over or the context ends.
func (p programs) run(ctx context.Context, t target, last string) result {
	cmd := exec.CommandContext(ctx, p.of(t), "-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+last,
		"-test.parallel=1", "-test.timeout=0", "-test.fuzzcachedir="+filepath.Join(p.inputs, module, t.dir))
	cmd.Dir = t.dir // new inputs that fail go to its testdata
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := time.Now()
	out, err := cmd.CombinedOutput()
	r := result{target: t, wall: time.Since(began), problem: err, output: string(out)}
	if s := cmd.ProcessState; s != nil {
		r.cpu = s.UserTime() + s.SystemTime() // with those of its worker, which it waited for
	}
	if ctx.Err() != nil && !strings.Contains(r.output, "--- FAIL") {
		r.problem = nil // it was told to end
	}
	all := progress.FindAllStringSubmatch(r.output, -1)
	if len(all) == 0 {
		if r.problem == nil && ctx.Err() == nil {
			r.problem = errors.New("it did not say how often it ran")
		}
		return r
	}
	end := all[len(all)-1]
	r.executions, _ = strconv.ParseUint(end[1], 10, 64)
	r.kept, _ = strconv.ParseUint(end[2], 10, 64)
	return r
}

const module = "github.com/mapstack/conformance"

// progress matches what a target writes every three seconds and at its end.
var progress = regexp.MustCompile(`fuzz: elapsed: \S+, execs: (\d+) \([^)]*\)(?:, new interesting: (\d+))?`)
