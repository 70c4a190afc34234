// Package gnu finds the GNU compilers and libraries for an architecture that Go's
// own toolchain does not support.
package gnu

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Tools are the programs that build a kernel and the programs for it.
type Tools struct {
	Target string // of the compilers, "alpha-linux-gnu"
	CC     string // path of the C compiler
	GCCGo  string // path of the Go compiler
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

// Remedy returns the command that installs all of them.
func (e *MissingError) Remedy() string {
	return fmt.Sprintf("apt-get install gcc-%s-%s gccgo-%s-%s libc6.1-%s-cross gcc libc6-dev make flex bison bc",
		release, e.Arch.GNU, release, e.Arch.GNU, e.Arch.GOARCH)
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("no archive has a kernel of %s or a Go toolchain for it, and of what builds them here is missing: %s; %s",
		e.Arch.GOARCH, strings.Join(e.Lacks, ", "), e.Remedy())
}

// Find looks for the tools of an architecture in PATH. If some are missing, the
// error is a *MissingError.
func Find(ctx context.Context, rec arch.Record) (Tools, error) {
	t := Tools{Target: rec.GNU}
	var lacks []string
	look := func(name string) string {
		path, err := exec.LookPath(name)
		if err != nil {
			lacks = append(lacks, name)
		}
		return path
	}
	t.CC = look(rec.GNU + "-gcc-" + release)
	t.GCCGo = look(rec.GNU + "-gccgo-" + release)
	for _, name := range []string{rec.GNU + "-ld", "gcc", "make", "flex", "bison", "bc"} {
		look(name)
	}
	if lacks == nil {
		if _, err := t.Library(ctx, "libc.so.6.1"); err != nil {
			lacks = append(lacks, "libc.so.6.1 of "+rec.GNU)
		}
	}
	if lacks != nil {
		return Tools{}, &MissingError{rec, lacks}
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
		return "", fmt.Errorf("%s knows no library %s; install libc6.1-%s-cross", t.CC, name, strings.TrimSuffix(t.Target, "-linux-gnu"))
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
