package cases

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Names among the programs that Compile makes: the program under test, and the tests of
// this package.
const (
	Mapstack = "mapstack"
	Tests    = "cases"
)

// subject is a program that the tests run below diagnose.
type subject struct {
	name string
	// go386 and cgo are Go programs. The others are C.
	go386, cgo bool
	flags      []string // of the C compiler, in place of -static
}

// subjects are programs where a C library or a compiler is the point. All others are
// roles of the test itself.
var subjects = []subject{
	{name: "threads"}, {name: "vfork"}, {name: "early"}, {name: "pool"}, {name: "trap"}, {name: "daemon"}, {name: "later"}, {name: "jobs"},
	{name: "sanitizer", flags: []string{"-fsanitize=address"}}, // there is no static one
	{name: "crowd32", go386: true},
	{name: "cgo", cgo: true},
}

// Compile makes the program under test and all subjects of an architecture. checkout is
// this repository's folder. For a subject that cannot be made here, because a compiler
// is missing, it writes the reason to NAME.absent.
func Compile(ctx context.Context, checkout, to, goarch string) error {
	c := compiler{ctx: ctx, checkout: checkout, to: to, goarch: goarch}
	if err := c.golang("build", Mapstack, "harness/cmd/mapstack", "GOARCH="+goarch, "CGO_ENABLED=0"); err != nil {
		return err
	}
	if err := c.golang("test", Tests, "harness/diagnose/cases", "GOARCH="+goarch, "CGO_ENABLED=0"); err != nil {
		return err
	}
	missing := c.findC()
	for _, s := range subjects {
		why := missing
		switch {
		case s.go386 && goarch != "amd64":
			why = "386 is the 32-bit architecture of amd64 alone"
		case s.go386:
			why = ""
		case s.flags != nil && goarch != runtime.GOARCH:
			why = "it needs the loader and the libraries of this host"
		}
		if why != "" {
			if err := os.WriteFile(filepath.Join(to, s.name+".absent"), []byte(why), 0o644); err != nil {
				return err
			}
			continue
		}
		if err := c.compile(s); err != nil {
			return err
		}
	}
	return nil
}

type compiler struct {
	ctx                  context.Context
	checkout, to, goarch string
	cc                   string
}

const folder = "harness/diagnose/cases/testdata"

func (c *compiler) compile(s subject) error {
	switch {
	case s.go386:
		return c.golang("build", s.name, folder+"/"+s.name, "GOARCH=386", "CGO_ENABLED=0")
	case s.cgo:
		return c.golang("build", s.name, folder+"/"+s.name, "GOARCH="+c.goarch, "CGO_ENABLED=1", "CC="+c.cc)
	}
	flags := s.flags
	if flags == nil {
		flags = []string{"-static"}
	}
	args := append([]string{"-O1", "-pthread", "-o", filepath.Join(c.to, s.name), filepath.Join(c.checkout, folder, s.name+".c")}, flags...)
	return c.run(exec.CommandContext(c.ctx, c.cc, args...))
}

func (c *compiler) golang(verb, name, from string, env ...string) error {
	args := []string{verb, "-o", filepath.Join(c.to, name)}
	if verb == "test" {
		args = append(args, "-c")
	}
	if name == Mapstack { // as the Makefile does
		args = append(args, "-ldflags", "-E _rt0_mapstack")
	}
	if env[1] == "CGO_ENABLED=1" {
		args = append(args, "-ldflags", "-linkmode external -extldflags -static")
	}
	cmd := exec.CommandContext(c.ctx, "go", append(args, "./"+from)...)
	cmd.Dir, cmd.Env = c.checkout, append(os.Environ(), env...)
	return c.run(cmd)
}

// findC finds a C compiler with a static C library. It returns why there is none.
func (c *compiler) findC() (missing string) {
	names, install := []string{"gcc"}, "apt-get install gcc libc6-dev"
	if c.goarch != runtime.GOARCH {
		rec, err := arch.Lookup(c.goarch)
		if err != nil {
			return err.Error()
		}
		target := rec.Uname + "-linux-gnu"
		names = []string{target + "-gcc", target + "-gcc-12", target + "-gcc-14"}
		install = fmt.Sprintf("apt-get install gcc-%s libc6-dev-%s-cross", target, rec.Debian)
	}
	for _, name := range names {
		try := exec.CommandContext(c.ctx, name, "-static", "-pthread", "-x", "c", "-o", os.DevNull, "-")
		try.Stdin = strings.NewReader("#include <pthread.h>\nint main(void) { return 0; }\n")
		if c.run(try) == nil {
			c.cc = name
			return ""
		}
	}
	return fmt.Sprintf("none of %s makes static programs for %s: %s", strings.Join(names, ", "), c.goarch, install)
}

func (c *compiler) run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
