// Package probe holds what every probe's main uses. It runs the steps, observes
// memory, starts children for steps that may die, and writes one observation per
// line to standard output. It never judges them.
package probe

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/wire"
)

// childFlag is the first argument of a child that a probe starts.
const childFlag = "-child"

// P is a running probe, or one of its children.
type P struct {
	Kernel *sys.Kernel
	Page   uintptr  // page size, bytes
	Args   []string // arguments after the program's or the child's name

	emit  func(wire.Observation)
	write func(line []byte)
	seen  map[string]bool
}

// Run runs a probe and ends the process. It calls body, or in a process that
// Obs.Child started the named function of children. A panic ends the process as in
// any Go program.
func Run(body func(*P), children map[string]func(*P)) {
	// A child dies with the thread that started it (Pdeathsig), and a locked thread
	// lives as long as the probe. Calls that affect only one thread need the lock
	// too.
	runtime.LockOSThread()
	// The garbage collector would map and unmap memory beside the mappings under
	// test.
	debug.SetGCPercent(-1)
	p, err := start(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	args := os.Args[1:]
	if len(args) >= 2 && args[0] == childFlag {
		if body = children[args[1]]; body == nil {
			fmt.Fprintf(os.Stderr, "this probe has no child %q\n", args[1])
			os.Exit(1)
		}
		args = args[2:]
	}
	p.Args = args
	body(p)
	os.Exit(0)
}

func start(stdout *os.File) (*P, error) {
	kernel, err := sys.Running()
	if err != nil {
		return nil, err
	}
	p := &P{Kernel: kernel, Page: uintptr(os.Getpagesize()), seen: map[string]bool{}}
	p.emit = func(o wire.Observation) { p.write(encode(o)) }
	p.write = func(line []byte) {
		// One write makes a line whole or absent, whenever the process ends.
		if _, err := stdout.Write(line); err != nil {
			fmt.Fprintf(os.Stderr, "write a step: %v\n", err)
			os.Exit(1)
		}
	}
	return p, nil
}

// encode returns the line of an observation.
func encode(o wire.Observation) []byte {
	line, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("encode step %s: %v", o.Step, err))
	}
	return append(line, '\n')
}

// Sync returns when the host has everything that was observed so far. It comes before a
// step that may end the machine.
func (p *P) Sync() {
	if os.Getenv(wire.SyncVariable) == "" {
		return // run by hand, or as a child
	}
	var one [1]byte
	if _, err := os.Stdin.Write(one[:]); err == nil {
		_, _ = os.Stdin.Read(one[:]) // an agent that has ended reads nothing either
	}
}

// Outcome returns "ok", or the name of a call's error.
func (p *P) Outcome(errno syscall.Errno) string {
	if errno == 0 {
		return "ok"
	}
	if name := p.Kernel.ErrnoName(int(errno)); name != "" {
		return name
	}
	return "errno " + strconv.Itoa(int(errno))
}
