// Package gnu finds the GNU compilers and libraries that build kernels here, and the
// programs for an architecture that Go's own toolchain does not support.
package gnu

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Tools are the programs that build a kernel and the programs for it.
type Tools struct {
	Target string // of the compilers, "alpha-linux-gnu"; empty for this host's own
	CC     string // path of the C compiler
	GCCGo  string // path of the Go compiler; empty for this host's own tools
	// Version is the version that CC reports, such as "12.2.0".
	Version string
}

// release is the release of the compilers. Newer ones refuse to compile older
// kernels.
const release = "12"

// MissingError lists the missing programs.
type MissingError struct {
	Arch  arch.Record
	Lacks []string // the programs
}

// Prefix returns what the names of the programs for a target begin with.
func (t Tools) Prefix() string {
	if t.Target == "" {
		return ""
	}
	return t.Target + "-"
}

// String returns the compiler's name and version.
func (t Tools) String() string { return t.Prefix() + "gcc " + t.Version }

// Remedy returns the command that installs all of them.
func (e *MissingError) Remedy() string {
	if e.Arch.GNU == "" {
		return "apt-get install gcc libc6-dev libelf-dev make flex bison bc"
	}
	return fmt.Sprintf("apt-get install gcc-%s-%s gccgo-%s-%s libc6.1-%s-cross gcc libc6-dev make flex bison bc",
		release, e.Arch.GNU, release, e.Arch.GNU, e.Arch.GOARCH)
}

func (e *MissingError) Error() string {
	if e.Arch.GNU == "" {
		return fmt.Sprintf("this kernel of %s is built here from source, and of what builds it is missing: %s; %s",
			e.Arch.GOARCH, strings.Join(e.Lacks, ", "), e.Remedy())
	}
	return fmt.Sprintf("no archive has a kernel of %s or a Go toolchain for it, and of what builds them here is missing: %s; %s",
		e.Arch.GOARCH, strings.Join(e.Lacks, ", "), e.Remedy())
}

// Find looks for the tools of an architecture in PATH. If some are missing, the
// error is a *MissingError.
func Find(ctx context.Context, rec arch.Record) (Tools, error) {
	t := Tools{Target: rec.GNU}
	var s search
	t.CC = s.look(rec.GNU + "-gcc-" + release)
	t.GCCGo = s.look(rec.GNU + "-gccgo-" + release)
	s.look(rec.GNU + "-ld")
	s.look("gcc")
	s.build()
	if s.lacks == nil {
		if _, err := t.Library(ctx, "libc.so.6.1"); err != nil {
			s.lacks = append(s.lacks, "libc.so.6.1 of "+rec.GNU)
		}
	}
	return s.found(ctx, rec, t)
}

// Compiler looks for the tools that build a kernel of an architecture. They are this
// host's own if Go has a port to the architecture. If some are missing, the error is a
// *MissingError.
func Compiler(ctx context.Context, rec arch.Record) (Tools, error) {
	if rec.GNU != "" {
		return Find(ctx, rec)
	}
	if rec.GOARCH != runtime.GOARCH {
		return Tools{}, fmt.Errorf("kernels of %s are built with a host's own compiler, and this host is %s; run this cell on a host of %s",
			rec.GOARCH, runtime.GOARCH, rec.GOARCH)
	}
	var t Tools
	var s search
	t.CC = s.look("gcc")
	s.look("ld")
	s.build()
	// A program of the kernel's build checks object files with libelf, on amd64 always
	// (since 5.19).
	if s.lacks == nil {
		if _, err := t.Library(ctx, "libelf.so"); err != nil {
			s.lacks = append(s.lacks, "libelf.so")
		}
	}
	return s.found(ctx, rec, t)
}

// search looks for programs and remembers which ones are missing.
type search struct{ lacks []string }

func (s *search) look(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		s.lacks = append(s.lacks, name)
	}
	return path
}

// build looks for what builds a kernel besides compilers.
func (s *search) build() {
	for _, name := range []string{"make", "flex", "bison", "bc"} {
		s.look(name)
	}
}

// found returns the tools if nothing is missing.
func (s *search) found(ctx context.Context, rec arch.Record, t Tools) (Tools, error) {
	if s.lacks != nil {
		return Tools{}, &MissingError{rec, s.lacks}
	}
	out, err := t.ask(ctx, "-dumpfullversion")
	t.Version = strings.TrimSpace(out)
	return t, err
}

// Library returns the path of a library that the compiler links with.
func (t Tools) Library(ctx context.Context, name string) (string, error) {
	out, err := t.ask(ctx, "-print-file-name="+name)
	if err != nil {
		return "", err
	}
	path := strings.TrimSpace(out)
	if !filepath.IsAbs(path) { // without the library, the compiler prints the name
		return "", fmt.Errorf("%s knows no library %s; install its package for %s", t.CC, name, cmp.Or(t.Target, "this host"))
	}
	return filepath.Clean(path), nil
}

// askWait bounds the wait for an answer of the compiler.
const askWait = 30 * time.Second

func (t Tools) ask(ctx context.Context, question string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.CC, question)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask %s %s: %w", t.CC, question, err)
	}
	return string(out), nil
}
