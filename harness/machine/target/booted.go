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

// Login is the account that logs in on the console of a booted system.
type Login struct {
	User, Password string
}

// Booted is an operating system that QEMU boots from its own disk, unchanged. Probes run in
// it as root, after a login on its serial console, from a disk of their own. The machine is
// thrown away afterwards, so probes may change it freely. Only one goroutine at a time may
// use it.
type Booted struct {
	Machine qemu.Config
	Arch    arch.Record
	Login   Login
	// Destructive tells probes that nobody else uses the machine. The system's own services
	// do use it, so counts of processes may be off by theirs.
	Destructive bool
	// Timeouts are those of a guest. The wait for a login is slowBoot times longer.
	Timeouts qemu.Timeouts

	machine *qemu.Machine
	line    *dialogue
	accel   qemu.Accel
}

// slowBoot scales a guest's waits for a whole system: it takes longer to its login than a
// guest to its agent.
const slowBoot = 4

// maxPasswords bounds how often a system may ask for the password.
const maxPasswords = 3

// mounted is the mount point of the disk of programs.
const mounted = "/run/mapstack"

// Patterns of what a console says.
var (
	askLogin    = regexp.MustCompile(`(?i)\blogin: `)
	askPassword = regexp.MustCompile(`(?i)password: ?`)
	// The last branch must not match the greeting "Last login: ".
	refused  = regexp.MustCompile(`(?i)login incorrect|authentication failure|permission denied|account.*(expired|locked)|[^t] login: ?$`)
	wantsNew = regexp.MustCompile(`(?i)(current|new|old) .{0,20}password: ?`)
	prompt   = regexp.MustCompile(`[#$%>] ?(\x1b\[[0-9;?]*[a-zA-Z])*$`)
	ready    = regexp.MustCompile(`mapstack-ready`)
	ended    = regexp.MustCompile(`mapstack-end-([0-9]+)\r?\n`)
)

// takeOver replaces the login's shell by one that reads commands and prints nothing of its
// own. It survives an end of input, because an end of input is how an agent is ended.
const takeOver = ` stty -echo -opost; exec sh -c 'dmesg -n 1; printf "mapstack-%s\n" ready; while :; do IFS= read -r l && eval "$l"; done'`

// mountPrograms finds the disk of programs and mounts it.
const mountPrograms = `[ "$(id -u)" = 0 ] || { echo "the login is not root, who alone may mount the disk with the probes"; exit 3; }; ` +
	`d=; for s in /sys/block/*/serial; do [ "$(cat $s)" = ` + qemu.ProgramsSerial + ` ] && d=${s%/serial} && d=/dev/${d##*/}; done; ` +
	`[ -n "$d" ] || { echo "the system shows no disk with the serial number ` + qemu.ProgramsSerial + `; its kernel needs virtio_blk"; exit 4; }; ` +
	`mkdir -p ` + mounted + ` && mount -t ext4 -o ro "$d" ` + mounted

// boot starts the machine and logs in, unless the machine runs already.
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
	if b.machine, err = qemu.Start(ctx, b.Machine, b.line, b.Timeouts); err != nil {
		b.machine = nil // Close must find nothing to stop
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
	// Other output may hide the prompt. A newline makes the system print it again.
	again := func() error { return b.machine.Send([]byte("\n")) }
	if _, _, err := b.expect(ctx, b.Timeouts.Boot*slowBoot, nil, askLogin); err != nil {
		return fmt.Errorf("wait for the login on the serial console; the system must have one (systemd has where the kernel's console= is it): %w", err)
	}
	if err := b.machine.Send([]byte(b.Login.User + "\n")); err != nil {
		return err
	}
	// A terminal or a shell may show the password, and logs are evidence. Once a shell reads
	// commands, it is not sent any more.
	b.line.hide(b.Login.Password)
	defer b.line.hide("")
	for sent := 0; ; sent++ {
		which, _, err := b.expect(ctx, b.Timeouts.Boot, again, wantsNew, askPassword, refused, prompt)
		if err != nil {
			return fmt.Errorf("log in as %s: %w", b.Login.User, err)
		}
		switch which {
		case 0:
			return fmt.Errorf("log in as %s: the system wants another password first; give it an image whose password is not expired", b.Login.User)
		case 1:
			if sent == maxPasswords {
				return fmt.Errorf("log in as %s: the system asks for the password again and again; correct --login and the password's file", b.Login.User)
			}
			if err := b.machine.Send([]byte(b.Login.Password + "\n")); err != nil {
				return err
			}
			continue
		case 2:
			return fmt.Errorf("log in as %s: the system refuses; correct --login and the password's file", b.Login.User)
		}
		break
	}
	b.line.hide("") // our own words may have the password in them
	if err := b.machine.Send([]byte(takeOver + "\n")); err != nil {
		return err
	}
	if _, _, err := b.expect(ctx, b.Timeouts.Boot, nil, ready); err != nil {
		return fmt.Errorf("start a shell as %s: %w", b.Login.User, err)
	}
	return nil
}

// expect waits until the console has said one of the patterns. It returns the pattern's
// index, and the match as find does. quiet is called when the console is silent; it may be
// nil.
func (b *Booted) expect(ctx context.Context, limit time.Duration, quiet func() error, patterns ...*regexp.Regexp) (int, []string, error) {
	late, stop := b.machine.Await(limit)
	defer stop()
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
		case err := <-late:
			return 0, nil, unanswered(err)
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

// quietConsole bounds the silence of a console. After it, the prompt is taken for lost.
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

// listen returns a stream that reads the console for a session. s may be nil.
func (b *Booted) listen(log io.Writer, s *session) *console.Stream {
	if s == nil {
		s = newSession(b.Timeouts) // nobody reads its frames
	}
	return console.NewStream(log, s.frame, s.damage, func(console.Crash) {
		// After a crash the kernel may not end by itself, and proves nothing any more. It
		// gets the time to print the rest first.
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

// observed runs stage 0 in the booted system and returns what it observed.
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

// Unchanged returns nil: what the probes change is thrown away with the machine.
func (b *Booted) Unchanged(context.Context) error { return nil }

// Accel returns the accelerator that QEMU reports, once the system was booted.
func (b *Booted) Accel() qemu.Accel { return b.accel }

// Start boots the system unless it runs, and starts an agent in it.
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
	// TMPDIR stays the system's own, because what the system forbids there counts.
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
			early, spoke = b.observed(ctx) // the system may still run
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

// fail ends the machine and returns why the attempt failed. The next Start boots another
// machine.
func (b *Booted) fail(ctx context.Context, attempted string, stream *console.Stream, err error) *failure.Failure {
	f := &failure.Failure{Kind: failure.Infra, Message: fmt.Sprintf("%s: %v", attempted, err), Console: stream.Tail()}
	crash, said, alive := stream.Crash(), "", false
	if b.machine != nil {
		alive = !ends(b.machine, b.Timeouts, err)
		if !alive && b.machine.Err() != nil {
			said = b.machine.Err().Error()
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

// Close ends the machine. Nothing was written to the disk.
func (b *Booted) Close() error {
	if b.machine == nil {
		return nil
	}
	m := b.machine
	b.machine = nil
	return m.Stop()
}

// endMark begins what the shell prints when a command has ended.
const endMark = "mapstack-end-"

// shellPeer is an agent that a shell started. It has exited when the shell prints endMark,
// or when the machine has exited.
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

// bootedAgent is an agent in a booted system.
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

// Stop ends the agent, so that the shell reads commands again. If the agent does not end,
// Stop ends the machine.
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

// endOfInput is the character that a terminal turns into an end of input (termios(3), VEOF).
const endOfInput = 4

// Usage returns zeros: one machine runs all agents, so their shares are unknown.
func (a *bootedAgent) Usage() (cpu float64, resident int64) { return 0, 0 }
