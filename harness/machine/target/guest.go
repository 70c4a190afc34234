package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/account"
	"github.com/mapstack/conformance/harness/machine/console"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// Guest is a QEMU guest whose agent answers.
type Guest struct {
	Hello wire.Hello
	// Accel is the accelerator that QEMU reports.
	Accel qemu.Accel
	// Started is the time from QEMU's start to the agent's first answer.
	Started time.Duration

	machine  *qemu.Machine
	stream   *console.Stream
	session  *session
	account  account.Account // of stage 0
	table    abi.Table
	timeouts qemu.Timeouts
	board    arch.Machine
	// agentless is set once stage 0 said that the agent did not start.
	agentless atomic.Bool
}

// Boot starts a machine and waits for its agent. Errors are *Failure.
func Boot(ctx context.Context, cfg qemu.Config, t qemu.Timeouts, log io.Writer) (*Guest, error) {
	return start(ctx, cfg, t, log, "boot", func(g *Guest) error {
		hello, err := g.session.hello(ctx)
		if err == nil && hello.Arch != cfg.Arch.GOARCH {
			err = fmt.Errorf("the agent was built for %q", hello.Arch)
		}
		g.Hello = hello
		return err
	})
}

// Restore starts a machine from what Save wrote. It waits until the agent repeats the hello
// that it said before. A guest that booted again says the same hello, and is none that was
// restored. Errors are *Failure.
func Restore(ctx context.Context, cfg qemu.Config, state string, hello wire.Hello, t qemu.Timeouts, log io.Writer) (*Guest, error) {
	return start(ctx, cfg, t, log, "restore", func(g *Guest) error {
		if err := g.machine.Load(ctx, state, cfg.Machine); err != nil {
			return err
		}
		var err error
		if g.Hello, err = g.session.helloAgain(ctx); err == nil && !reflect.DeepEqual(g.Hello, hello) {
			err = fmt.Errorf("the restored agent says %+v, and it was %+v", g.Hello, hello)
		}
		if _, spoke := g.Early(); err == nil && (spoke || g.stream.Booted()) {
			err = errors.New("the guest booted again instead of going on: QEMU saves too little of it")
		}
		return err
	})
}

// start starts a machine and calls greet to wait for its agent.
func start(ctx context.Context, cfg qemu.Config, t qemu.Timeouts, log io.Writer, what string, greet func(*Guest) error) (*Guest, error) {
	g := &Guest{session: newSession(t), timeouts: t, board: cfg.Machine}
	panicked := make(chan struct{}, 1) // never blocks: the stream reports only one crash
	g.stream = console.NewStream(log, g.session.frame, g.session.damage, func(c console.Crash) {
		if c.Kind == console.Panic || c.Kind == console.NoInit {
			panicked <- struct{}{}
		}
	})
	alone, greeted := make(chan struct{}), make(chan struct{})
	g.stream.HearEarly(func(f wire.Frame) {
		g.account.Frame(f)
		if account.Agentless(f) && g.agentless.CompareAndSwap(false, true) {
			close(alone)
		}
	})
	// If there is no table, errors have no names.
	g.table, _ = abi.Lookup(cfg.Arch.GOARCH)
	started := time.Now()
	var err error
	if g.machine, err = qemu.Start(ctx, cfg, g.stream, t); err != nil {
		return nil, &failure.Failure{Kind: failure.Infra, Message: err.Error()}
	}
	g.session.peer = g.machine
	go g.bury(panicked)
	go g.abandon(alone, greeted)
	defer close(greeted)
	if g.Accel, err = g.machine.Accelerated(ctx); err != nil {
		return nil, g.fail(ctx, what, err)
	}
	if err := greet(g); err != nil {
		return nil, g.fail(ctx, what, err)
	}
	g.Started = time.Since(started)
	return g, nil
}

// Early returns what stage 0 observed before the agent started; false if it said nothing.
// It says nothing in a restored guest, because another guest was booted.
func (g *Guest) Early() (wire.Transcript, bool) { return g.account.Transcript(g.table) }

// Save writes the guest's state to the file path and ends the guest. Its memory is in the
// file that qemu.Config named.
func (g *Guest) Save(ctx context.Context, path string) error {
	// Every restored guest would say what this one has not said to the end.
	if _, err := g.session.helloAgain(ctx); err != nil {
		return g.fail(ctx, "wait until the guest is silent", err)
	}
	return errors.Join(g.machine.Save(ctx, path, g.board), g.Stop())
}

// abandon ends a guest whose agent did not start, before anybody waits for its hello. Stage 0
// restarts the machine, and not every machine can: core3 of sw64 spins for ever.
func (g *Guest) abandon(alone, greeted <-chan struct{}) {
	select {
	case <-alone:
		g.machine.Kill()
	case <-greeted:
	}
}

// bury ends a guest whose kernel panicked, because not every machine can reset itself. The
// kernel first gets the time to print the rest.
func (g *Guest) bury(panicked <-chan struct{}) {
	select {
	case <-panicked:
	case <-g.machine.Exited():
		return
	}
	select {
	case <-time.After(g.timeouts.Epitaph):
		g.machine.Kill()
	case <-g.machine.Exited():
	}
}

// Run runs one probe. Errors are *Failure. The guest has ended after an error.
func (g *Guest) Run(ctx context.Context, probe string, args []string) (wire.Transcript, error) {
	t, err := g.session.probe(ctx, probe, args)
	if err != nil {
		return t, g.fail(ctx, "run probe "+strings.Join(append([]string{probe}, args...), " "), err)
	}
	return t, nil
}

// Greeting returns Hello and Started.
func (g *Guest) Greeting() (wire.Hello, time.Duration) { return g.Hello, g.Started }

// Stop ends the guest and may be called again. It also returns an error of writing the
// console log, because an incomplete log is no evidence.
func (g *Guest) Stop() error { return errors.Join(g.machine.Stop(), g.stream.Err()) }

// Log makes the console go to another log. It returns why the former one is incomplete, or
// nil.
func (g *Guest) Log(to io.Writer) error { return g.stream.Log(to) }

// Usage returns what a guest has used of the host: seconds of CPU, and its largest resident
// memory in bytes.
func (g *Guest) Usage() (cpu float64, resident int64) { return g.machine.Usage() }

// fail stops the guest and returns why the attempt failed.
func (g *Guest) fail(ctx context.Context, attempted string, err error) *failure.Failure {
	// The machine may be ending just now. Wait for it, to learn its reason.
	ended := !errors.Is(err, errSilent) && ctx.Err() == nil && ends(g.machine, g.timeouts, err)
	select {
	case <-g.machine.Exited():
		ended = true
	default:
	}
	reason, crash := g.machine.ShutdownReason(), g.stream.Crash()
	var stopped *qemu.StoppedError
	var starved *starvedError
	stopErr := g.machine.Stop()
	f := &failure.Failure{Console: g.stream.Tail()}
	switch {
	case ctx.Err() != nil:
		f.Kind, f.Message = failure.Interrupted, fmt.Sprintf("%s: the run was stopped", attempted)
	case g.agentless.Load() && ended:
		f.Kind, f.Message = failure.NoInit, attempted+": the agent did not start"
	case crash.GaveUp() && g.Hello.Arch != "":
		// It had answered. A fault of its Go runtime and one of the kernel end it alike, so nobody
		// can be blamed.
		f.Kind = failure.Infra
		f.Message = fmt.Sprintf("%s: the agent, a Go program, could not go on and ended with status 2; the kernel panics without it: %s", attempted, crash.Line)
	case crash.Kind != "" && (ended || errors.Is(err, errSilent)):
		f.Kind, f.Message = failure.Kind(crash.Kind), fmt.Sprintf("%s: the kernel died: %s", attempted, crash.Line)
	case ended && reason == "guest-reset":
		f.Kind, f.Message = failure.Reboot, attempted+": the guest reset itself and said nothing"
	case ended && g.machine.Err() != nil:
		f.Kind, f.Message = failure.Infra, fmt.Sprintf("%s: QEMU failed: %v", attempted, g.machine.Err())
	case ended:
		f.Kind, f.Message = failure.Reboot, fmt.Sprintf("%s: the guest ended (QEMU's reason: %q)", attempted, reason)
	case errors.As(err, &stopped):
		f.Kind, f.Message = failure.Infra, fmt.Sprintf("%s: QEMU did not run: %v", attempted, err)
	case errors.As(err, &starved):
		f.Kind, f.Message = failure.Infra, fmt.Sprintf("%s: %v", attempted, err)
	case errors.Is(err, errSilent):
		f.Kind, f.Message = failure.Hang, fmt.Sprintf("%s: %s", attempted, err)
	default:
		f.Kind, f.Message = failure.Protocol, fmt.Sprintf("%s: %v", attempted, err)
	}
	if hint := g.hint(f.Kind, crash); hint != "" {
		f.Message += "; " + hint
	}
	if early, spoke := g.Early(); spoke {
		f.Early = &early
		for _, finding := range account.Diagnose(early, g.table) {
			f.Message += "; stage 0 found: " + finding
		}
	}
	if stopErr != nil {
		f.Message += "; " + stopErr.Error()
	}
	return f
}

// ends reports whether a machine ends after an error. If the error says that QEMU is ending, it
// is given the time to do so: on a busy host, its death could else be taken for a breach of the
// protocol.
func ends(m *qemu.Machine, t qemu.Timeouts, err error) bool {
	limit := t.Quit
	if errors.Is(err, qemu.ErrMonitorGone) || errors.Is(err, syscall.EPIPE) {
		limit = t.Monitor
	}
	late, stop := m.Await(limit)
	defer stop()
	select {
	case <-m.Exited():
		return true
	case <-late:
		return false
	}
}

// hint says what may be wrong with a kernel or an emulator of which a boot shows only that it
// does not go on; "" if that is not known.
func (g *Guest) hint(kind failure.Kind, crash console.Crash) string {
	switch {
	case strings.Contains(crash.Line, "Unable to mount root fs"):
		hint := "build what finds the guest's files into the kernel, and not as modules: " + strings.Join(g.board.Drivers(), ", ")
		if g.board.Disk != "" {
			hint += "; a distribution's kernel, which has them as modules, boots with its system (run --os-image DISK --full-boot), or on an emulator that loads an initramfs"
		}
		return hint
	case kind != failure.Hang || g.Started > 0:
		return ""
	case !g.stream.Booted():
		return "the kernel said nothing: it needs a driver of the console " + g.board.Console + " built in, and the machine its firmware"
	}
	return g.board.Stalls
}
