package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/account"
	"github.com/mapstack/conformance/harness/machine/console"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// Login is who logs in on the console of a system that was booted.
type Login struct {
	User, Password string
}

// Booted is an operating system that QEMU boots as it is on its disk. Probes run in
// it as root, by a login on its serial console, from a disk of their own. The machine
// is thrown away, so that probes may do to it what they like. Use it by one goroutine
// at a time.
type Booted struct {
	Argv  []string // QEMU's command line, see qemu.Config
	Arch  arch.Record
	Login Login
	// Destructive tells probes that nobody else uses the machine, which the services of
	// the system do: what they count of it may then be off by a process of theirs.
	Destructive bool
	// Timeouts are those of a guest; a whole system takes longer to boot.
	Timeouts qemu.Timeouts

	machine *qemu.Machine
	line    *dialogue
	accel   qemu.Accel
}

// slowBoot is how much longer a system takes to its login than a kernel to the agent.
const slowBoot = 4

// mounted is where the disk of programs is mounted.
const mounted = "/run/mapstack"

// What the conversation on a console is made of.
var (
	askLogin    = regexp.MustCompile(`(?i)\blogin: `)
	askPassword = regexp.MustCompile(`(?i)password: ?`)
	// Not "Last login: ", which greets.
	refused  = regexp.MustCompile(`(?i)login incorrect|authentication failure|permission denied|account.*(expired|locked)|[^t] login: ?$`)
	wantsNew = regexp.MustCompile(`(?i)(current|new|old) .{0,20}password: ?`)
	prompt   = regexp.MustCompile(`[#$%>] ?(\x1b\[[0-9;?]*[a-zA-Z])*$`)
	ready    = regexp.MustCompile(`mapstack-ready`)
	ended    = regexp.MustCompile(`mapstack-end-([0-9]+)\r?\n`)
)

// takeOver makes the login's shell one that reads commands and says nothing else. It
// goes on at an end of input, which is how an agent is ended.
const takeOver = ` stty -echo -opost; exec sh -c 'dmesg -n 1; printf "mapstack-%s\n" ready; while :; do IFS= read -r l && eval "$l"; done'`

// mountPrograms finds the disk of programs and mounts it.
const mountPrograms = `[ "$(id -u)" = 0 ] || { echo "the login is not root, who alone may mount the disk with the probes"; exit 3; }; ` +
	`d=; for s in /sys/block/*/serial; do [ "$(cat $s)" = ` + qemu.ProgramsSerial + ` ] && d=${s%/serial} && d=/dev/${d##*/}; done; ` +
	`[ -n "$d" ] || { echo "the system shows no disk with the serial number ` + qemu.ProgramsSerial + `; its kernel needs virtio_blk"; exit 4; }; ` +
	`mkdir -p ` + mounted + ` && mount -t ext4 -o ro "$d" ` + mounted

// boot starts the machine and logs in, unless that was done.
func (b *Booted) boot(ctx context.Context, sink io.Writer) error {
	if b.machine != nil {
		select {
		case <-b.machine.Exited():
		default:
			b.line.to(sink)
			return nil
		}
	}
	b.line = &dialogue{sink: sink, news: make(chan struct{}, 1)}
	var err error
	if b.machine, err = qemu.Start(ctx, b.Argv, b.line, b.Timeouts); err != nil {
		b.machine = nil // which Close would stop
		return err
	}
	b.line.owned(b.machine.Kill)
	if b.accel, err = b.machine.Accelerated(ctx); err != nil {
		return err
	}
	if err := b.logIn(ctx); err != nil {
		return err
	}
	said, status, err := b.script(ctx, mountPrograms)
	if err != nil {
		return fmt.Errorf("find the disk with the probes: %w", err)
	}
	if status != 0 {
		return fmt.Errorf("find the disk with the probes: %s", strings.TrimSpace(said))
	}
	return nil
}

func (b *Booted) logIn(ctx context.Context) error {
	// A system that talks over its prompt says it again when it is asked.
	again := func() error { return b.machine.Send([]byte("\n")) }
	if _, _, err := b.expect(ctx, b.Timeouts.Boot*slowBoot, nil, askLogin); err != nil {
		return fmt.Errorf("wait for the login on the serial console; the system must have one (systemd has where the kernel's console= is it): %w", err)
	}
	if err := b.machine.Send([]byte(b.Login.User + "\n")); err != nil {
		return err
	}
	for {
		which, _, err := b.expect(ctx, b.Timeouts.Boot, again, wantsNew, askPassword, refused, prompt)
		if err != nil {
			return fmt.Errorf("log in as %s: %w", b.Login.User, err)
		}
		switch which {
		case 0:
			return fmt.Errorf("log in as %s: the system wants another password first; give it an image whose password is not expired", b.Login.User)
		case 1:
			if err := b.machine.Send([]byte(b.Login.Password + "\n")); err != nil {
				return err
			}
			continue
		case 2:
			return fmt.Errorf("log in as %s: the system refuses; correct --login and the password's file", b.Login.User)
		}
		break
	}
	if err := b.machine.Send([]byte(takeOver + "\n")); err != nil {
		return err
	}
	if _, _, err := b.expect(ctx, b.Timeouts.Boot, nil, ready); err != nil {
		return fmt.Errorf("start a shell as %s: %w", b.Login.User, err)
	}
	return nil
}

// expect waits until the console has said one of the patterns, and returns which and
// what came before it.
func (b *Booted) expect(ctx context.Context, limit time.Duration, quiet func() error, patterns ...*regexp.Regexp) (int, []string, error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	idle := time.NewTimer(limit)
	defer idle.Stop()
	for {
		if quiet != nil {
			idle.Reset(quietConsole)
		}
		if which, match := b.line.find(patterns); match != nil {
			return which, match, nil
		}
		select {
		case <-b.line.news:
		case <-idle.C:
			if quiet == nil {
				continue
			}
			if err := quiet(); err != nil {
				return 0, nil, err
			}
		case <-b.machine.Exited():
			return 0, nil, fmt.Errorf("%w: %v", errDead, b.machine.Err())
		case <-deadline.C:
			return 0, nil, fmt.Errorf("%w within %v", errSilent, limit)
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

// quietConsole is how long a console may say nothing before a prompt is taken for lost.
const quietConsole = 20 * time.Second

// script runs a command in the system and returns what it printed, and its status.
func (b *Booted) script(ctx context.Context, command string) (said string, status int, err error) {
	b.line.forget()
	if err := b.machine.Send([]byte("( " + command + " ) </dev/null 2>&1; printf 'mapstack-end-%s\\n' $?\n")); err != nil {
		return "", 0, err
	}
	_, match, err := b.expect(ctx, b.Timeouts.Boot, nil, ended)
	if err != nil {
		return "", 0, err
	}
	status, err = strconv.Atoi(match[2])
	return match[0], status, err
}

// Ask boots the system unless it runs, and returns what a command prints there.
func (b *Booted) Ask(ctx context.Context, log io.Writer, command string) (string, error) {
	stream := b.listen(log, nil)
	if err := b.boot(ctx, stream); err != nil {
		return "", b.fail(ctx, "boot the system", stream, err)
	}
	said, _, err := b.script(ctx, command)
	if err != nil {
		return "", b.fail(ctx, "ask the system", stream, err)
	}
	return said, nil
}

// listen is where the console's bytes go while an agent's session lasts.
func (b *Booted) listen(log io.Writer, s *session) *console.Stream {
	if s == nil {
		s = newSession(b.Timeouts) // nobody's
	}
	return console.NewStream(log, s.frame, s.damage, func(console.Crash) {
		// The kernel of a system need not end by itself, and proves nothing any more; the
		// rest is to be printed first.
		time.AfterFunc(b.Timeouts.Epitaph, b.line.end)
	})
}

// Early runs stage 0 in the system and returns what it observed.
func (b *Booted) Early(ctx context.Context) (wire.Transcript, bool) {
	if err := b.boot(ctx, b.listen(io.Discard, nil)); err != nil {
		return wire.Transcript{}, false
	}
	return b.observed(ctx)
}

// observed is what stage 0 says in the system that runs.
func (b *Booted) observed(ctx context.Context) (wire.Transcript, bool) {
	table, known := abi.Lookup(b.Arch.GOARCH)
	if !known {
		return wire.Transcript{}, false
	}
	said, _, err := b.script(ctx, "[ -x "+mounted+"/stage0 ] && "+mounted+"/stage0 || true")
	if err != nil {
		return wire.Transcript{}, false
	}
	var heard account.Account
	for line := range strings.Lines(said) {
		if f, err := wire.Decode(wire.EarlyPrefix, []byte(line)); err == nil {
			heard.Frame(f)
		}
	}
	return heard.Transcript(table)
}

// Unchanged says that the system is as it was: what the probes did to it is thrown away.
func (b *Booted) Unchanged(context.Context) error { return nil }

// Accel is what QEMU says it uses, once the system was booted.
func (b *Booted) Accel() qemu.Accel { return b.accel }

// Start starts an agent, and before it the system, unless that runs.
func (b *Booted) Start(ctx context.Context, log io.Writer) (Agent, string, error) {
	began := time.Now()
	s := newSession(b.Timeouts)
	stream := b.listen(log, s)
	if err := b.boot(ctx, stream); err != nil {
		return nil, Started, b.fail(ctx, "boot the system", stream, err)
	}
	b.line.forget()
	s.peer = newShellPeer(b.machine, b.line.until(endMark))
	a := &bootedAgent{system: b, session: s, stream: stream}
	// TMPDIR is the system's own: what it forbids there counts.
	command := mounted + "/init --probes " + mounted + "/probes"
	if b.Destructive {
		command += " --whole-machine"
	}
	command += "; printf 'mapstack-end-%s\\n' $?\n"
	err := b.machine.Send([]byte(command))
	if err == nil {
		a.hello, err = s.hello(ctx)
	}
	if err == nil && a.hello.Arch != b.Arch.GOARCH {
		err = fmt.Errorf("the agent was built for %q", a.hello.Arch)
	}
	if err != nil {
		early, spoke := wire.Transcript{}, false
		if errors.Is(err, errDead) {
			early, spoke = b.observed(ctx) // if the system is there still
		}
		f := b.fail(ctx, "start the agent", stream, err)
		if spoke {
			tell(f, early, b.Arch.GOARCH)
		}
		return nil, Started, f
	}
	a.took = time.Since(began)
	return a, Started, nil
}

// fail ends the machine and says why what was attempted did not work. The next start
// boots another.
func (b *Booted) fail(ctx context.Context, attempted string, stream *console.Stream, err error) *failure.Failure {
	f := &failure.Failure{Kind: failure.Infra, Message: fmt.Sprintf("%s: %v", attempted, err), Console: stream.Tail()}
	crash, said, alive := stream.Crash(), "", false
	if b.machine != nil {
		select {
		case <-b.machine.Exited():
			if b.machine.Err() != nil {
				said = b.machine.Err().Error()
			}
		case <-time.After(b.Timeouts.Quit): // else it may be ending just now
			alive = true
		}
	}
	switch {
	case ctx.Err() != nil:
		f.Kind, f.Message = failure.Interrupted, attempted+": the run was stopped"
	case crash.Kind != "":
		f.Kind, f.Message = failure.Kind(crash.Kind), fmt.Sprintf("%s: the kernel died: %s", attempted, crash.Line)
	case said != "":
		f.Message = fmt.Sprintf("%s: QEMU failed: %s", attempted, said)
	case errors.Is(err, errSilent):
		f.Kind = failure.Hang
	case errors.Is(err, errDead) && alive:
		f.Kind, f.Message = failure.NoInit, attempted+": the agent ended, and the system did not"
	case errors.Is(err, errDead):
		f.Kind = failure.Reboot
	}
	if err := b.Close(); err != nil {
		f.Message += "; " + err.Error()
	}
	return f
}

// Close ends the machine; the system on the disk never ran, as far as the disk knows.
func (b *Booted) Close() error {
	if b.machine == nil {
		return nil
	}
	m := b.machine
	b.machine = nil
	return m.Stop()
}

// endMark is what the shell says when a command ended.
const endMark = "mapstack-end-"

// shellPeer is an agent that a shell started: it is gone when the shell says so, or
// when the machine is.
type shellPeer struct {
	*qemu.Machine
	gone chan struct{}
}

func newShellPeer(m *qemu.Machine, said <-chan struct{}) shellPeer {
	p := shellPeer{m, make(chan struct{})}
	go func() {
		select {
		case <-said:
		case <-m.Exited():
		}
		close(p.gone)
	}()
	return p
}

func (p shellPeer) Exited() <-chan struct{} { return p.gone }

// bootedAgent is an agent in a system that was booted.
type bootedAgent struct {
	system  *Booted
	session *session
	stream  *console.Stream
	hello   wire.Hello
	took    time.Duration
	stopped bool
}

func (a *bootedAgent) Greeting() (wire.Hello, time.Duration) { return a.hello, a.took }

func (a *bootedAgent) Run(ctx context.Context, probe string, args []string) (wire.Transcript, error) {
	t, err := a.session.probe(ctx, probe, args)
	if err != nil {
		a.stopped = true
		return t, a.system.fail(ctx, "run probe "+strings.Join(append([]string{probe}, args...), " "), a.stream, err)
	}
	return t, nil
}

// Stop ends the agent, so that the shell goes on; where it does not end, the machine.
func (a *bootedAgent) Stop() error {
	b := a.system
	if a.stopped || b.machine == nil {
		return a.stream.Err()
	}
	a.stopped = true
	err := b.machine.Send([]byte{endOfInput})
	if err == nil {
		_, _, err = b.expect(context.Background(), b.Timeouts.Monitor*slowBoot, nil, ended)
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("end the agent: %w", err), b.Close())
	}
	return errors.Join(err, a.stream.Err())
}

// endOfInput is what a terminal turns into the end of a program's input (termios(3), VEOF).
const endOfInput = 4

// Usage is unknown: one machine runs them all.
func (a *bootedAgent) Usage() (cpu float64, resident int64) { return 0, 0 }
