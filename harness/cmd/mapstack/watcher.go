package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/harness/language"
)

// watcherName is the first argument of the process that watches a program for diagnose.
// It is not for users, so it is no command. It has no handlers of signals either: each
// would cost a thread that counts against the program's limits.
const watcherName = "diagnose-watcher"

// watching is the second argument of that process.
type watching struct {
	Adoption watch.Adoption
	Command  []string
	JSON     bool
	Language language.Language
	Output   string
}

// launch makes this process the program. It returns only if that fails.
func (d diagnosis) launch(p watch.Program, language language.Language) error {
	self, err := own()
	if err != nil {
		return err
	}
	if d.output != "" {
		if d.output, err = filepath.Abs(d.output); err != nil {
			return fmt.Errorf("find the file for the diagnosis: %w", err)
		}
	}
	return watch.Launch(p, func(a watch.Adoption) (watch.Program, error) {
		spec, err := json.Marshal(watching{a, p.Args, d.json, language, d.output})
		if err != nil {
			return watch.Program{}, fmt.Errorf("tell the watcher what to do: %w", err)
		}
		return watch.Program{Path: self, Args: []string{"mapstack", watcherName, string(spec)}, Env: quiet(p.Env)}, nil
	})
}

// own returns the file of this program. The link in /proc leads there even if its user may
// not follow the path, or the file was replaced. Without /proc the name must do.
func own() (string, error) {
	const link = "/proc/self/exe"
	if _, err := os.Stat(link); err == nil {
		return link, nil
	}
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("find the program mapstack itself: %w", err)
	}
	return path, nil
}

// quiet returns an environment for the watcher: one thread runs Go, and settings for the
// runtime of the program that is watched do not hold for it.
func quiet(env []string) []string {
	kept := []string{"GOMAXPROCS=1"}
	for _, variable := range env {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "GOMAXPROCS", "GODEBUG", "GOGC", "GOMEMLIMIT", "GOTRACEBACK":
		default:
			kept = append(kept, variable)
		}
	}
	return kept
}

// watcher is the process that watches.
func watcher(spec string) error {
	var w watching
	if err := json.Unmarshal([]byte(spec), &w); err != nil {
		return fmt.Errorf("%s is not for users: %w", watcherName, err)
	}
	takeName()
	d := diagnosis{json: w.JSON, output: w.Output}
	s := d.session(os.Stderr, w.Language)
	tell := s.Tell
	s.Tell = func(r diagnose.Report) error {
		err := tell(r)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mapstack:", err) // this process may give it back next
		}
		if r.Program.State != "running" {
			err = errors.Join(err, release())
		}
		return err
	}
	return s.Adopt(w.Adoption, w.Command)
}

// takeName gives this process its name. That would be "exe" where own executed the link in
// /proc.
func takeName() {
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData("mapstack\x00"))), 0, 0, 0)
}

// release gives back the standard input, output and error, and the working directory.
// Whoever reads what the program writes must not wait for a process that stays as the
// tracer of its children. What is refused to them later is told only if the diagnosis goes
// to a file.
func release() error {
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("give back the working directory: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("give back standard output: %w", err)
	}
	defer null.Close()
	for _, standard := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if err := unix.Dup3(int(null.Fd()), int(standard.Fd()), 0); err != nil {
			return fmt.Errorf("give back standard output: %w", err)
		}
	}
	return nil
}

// listen starts a program that cannot be traced.
func (d diagnosis) listen(ctx context.Context, s diagnose.Session, p watch.Program, why error) error {
	o, err := s.Listen(ctx, p, why)
	if err != nil {
		return err
	}
	return programExit(o.Status)
}
