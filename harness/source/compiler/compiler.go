// Package compiler finds the compilers and libraries that build kernels here, and the
// programs for an architecture that Go's own toolchain does not support.
package compiler

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
	Target string // of GNU's cross compilers, "alpha-linux-gnu"; empty for others
	CC     string // path of the C compiler
	GCCGo  string // path of the Go compiler; empty if Go's own toolchain is used
	LLVM   bool   // CC is clang, which compiles for every architecture
	// Version is the version that CC reports, such as "12.2.0".
	Version string
}

// release is the release of GNU's cross compilers. Newer ones refuse to compile older
// kernels.
const release = "12"

// llvmRelease is the release of LLVM. Kernels of loong64 need 18 or later, and Debian 12
// and 13 have 19.
const llvmRelease = "19"

// MissingError lists the missing programs.
type MissingError struct {
	Arch  arch.Record
	Lacks []string // the programs
	// Packages are the Debian packages that hold all programs.
	Packages string
}

// Make returns the arguments that tell the kernel's make which compiler to use.
func (t Tools) Make() []string {
	if t.LLVM {
		return []string{"LLVM=-" + llvmRelease}
	}
	return []string{"CROSS_COMPILE=" + t.prefix(), "CC=" + t.CC}
}

// prefix returns what the names of the programs for a target begin with.
func (t Tools) prefix() string {
	if t.Target == "" {
		return ""
	}
	return t.Target + "-"
}

// String returns the compiler's name and version.
func (t Tools) String() string {
	if t.LLVM {
		return "clang " + t.Version
	}
	return t.prefix() + "gcc " + t.Version
}

// Remedy returns the command that installs all of them.
func (e *MissingError) Remedy() string { return "apt-get install " + e.Packages }

func (e *MissingError) Error() string {
	if e.Arch.GNU == "" {
		return fmt.Sprintf("this kernel of %s is built here from source, and of what builds it is missing: %s; %s",
			e.Arch.GOARCH, strings.Join(e.Lacks, ", "), e.Remedy())
	}
	return fmt.Sprintf("no archive has a kernel of %s or a Go toolchain for it, and of what builds them here is missing: %s; %s",
		e.Arch.GOARCH, strings.Join(e.Lacks, ", "), e.Remedy())
}

// buildPackages are the Debian packages that build a kernel besides compilers.
const buildPackages = "make flex bison bc"

// Find looks for the tools of an architecture without a Go port in PATH. If some are
// missing, the error is a *MissingError.
func Find(ctx context.Context, rec arch.Record) (Tools, error) {
	t := Tools{Target: rec.GNU}
	s := search{packages: fmt.Sprintf("gcc-%s-%s gccgo-%s-%s libc6.1-%s-cross gcc libc6-dev "+buildPackages,
		release, rec.GNU, release, rec.GNU, rec.GOARCH)}
	t.CC = s.look(rec.GNU + "-gcc-" + release)
	t.GCCGo = s.look(rec.GNU + "-gccgo-" + release)
	s.look(rec.GNU + "-ld")
	s.look("gcc")
	s.build()
	s.library(ctx, t, "libc.so.6.1")
	return s.found(ctx, rec, t)
}

// ForKernel looks for the tools that build a kernel of an architecture: GNU's cross
// compilers if Go has no port to it, this host's own compiler for the host's
// architecture, and LLVM for every other. If some are missing, the error is a
// *MissingError.
func ForKernel(ctx context.Context, rec arch.Record) (Tools, error) {
	if rec.GNU != "" {
		return Find(ctx, rec)
	}
	var t Tools
	var s search
	if rec.GOARCH == runtime.GOARCH {
		s.packages = "gcc"
		t.CC = s.look("gcc")
		s.look("ld")
	} else {
		const version = "-" + llvmRelease
		s.packages = "clang" + version + " lld" + version + " llvm" + version
		t.LLVM = true
		t.CC = s.look("clang" + version)
		// What the kernel's make calls when it is told LLVM=-19.
		for _, name := range []string{"ld.lld", "llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-objdump", "llvm-readelf", "llvm-strip"} {
			s.look(name + version)
		}
	}
	s.packages += " libc6-dev libelf-dev " + buildPackages
	s.build()
	// A program of the kernel's build checks object files with libelf, on amd64 always
	// (since 5.19).
	s.library(ctx, t, "libelf.so")
	return s.found(ctx, rec, t)
}

// search looks for programs and remembers which ones are missing.
type search struct {
	lacks    []string
	packages string // the Debian packages that hold all of them
}

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

// library looks for a library of the compiler, once it has every program.
func (s *search) library(ctx context.Context, t Tools, name string) {
	if s.lacks != nil {
		return
	}
	if _, err := t.Library(ctx, name); err != nil {
		if t.Target != "" {
			name += " of " + t.Target
		}
		s.lacks = append(s.lacks, name)
	}
}

// found returns the tools if nothing is missing.
func (s *search) found(ctx context.Context, rec arch.Record, t Tools) (Tools, error) {
	if s.lacks != nil {
		return Tools{}, &MissingError{rec, s.lacks, s.packages}
	}
	question := "-dumpfullversion"
	if t.LLVM {
		question = "-dumpversion" // clang knows no other, and gcc answers it in part
	}
	out, err := t.ask(ctx, question)
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
