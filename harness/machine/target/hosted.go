package target

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/account"
	"github.com/mapstack/conformance/harness/machine/console"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// Options say in which system probes run, and how.
type Options struct {
	Host     matrix.Host
	Address  string   // for SSH: an ssh:// URL
	SSH      []string // the beginning of ssh's command line; nil for ssh in PATH
	Emulator []string // for UserMode: the command that runs a program
	// Destructive allows probes that can harm other users of the system.
	Destructive bool
}

// Hosted is a system that runs already. Only one goroutine at a time may use it.
type Hosted struct {
	options  Options
	shell    shell
	rec      arch.Record
	agent    []byte // nil if none could be compiled; then only stage 0 runs
	stage0   []byte // nil if the architecture has no encodings
	probes   map[string][]byte
	timeouts qemu.Timeouts

	holder *process // keeps the folder on the target
	dir    string   // that folder; "" if there is none
	before settings
}

// agentName is the agent's name among the programs of a guest image.
const agentName = "init"

// Connect connects to a system and returns its uname -m. It leaves nothing there.
func Connect(ctx context.Context, o Options) (*Hosted, string, error) {
	h := &Hosted{options: o, shell: local(), timeouts: qemu.TimeoutsFor(qemu.KVM, 1)}
	if o.Host == matrix.SSH {
		program := o.SSH
		if program == nil {
			program = []string{"ssh"}
		}
		var err error
		if h.shell, err = overSSH(program, o.Address); err != nil {
			return nil, "", err
		}
	}
	machine, err := h.script(ctx, "uname -m", nil)
	if err != nil {
		return nil, "", fmt.Errorf("reach the target: %w%s", err, unknownTo(err))
	}
	return h, strings.TrimSpace(machine), nil
}

// unknownTo returns what to do if ssh would have to ask for something; "" for other errors. The
// words are those of OpenSSH.
func unknownTo(err error) string {
	for _, said := range []string{"Host key verification failed", "Permission denied"} {
		if strings.Contains(err.Error(), said) {
			return "; ssh may ask nothing here: log in by hand once to accept the host's key, and let your ssh agent hold yours"
		}
	}
	return ""
}

// Load sets what to run on the system: an architecture's agent and probes, by their names in
// the guest image. It also reads the settings that Unchanged compares.
func (h *Hosted) Load(ctx context.Context, rec arch.Record, programs map[string][]byte) (err error) {
	h.rec, h.probes = rec, map[string][]byte{}
	slowness := 1
	if h.options.Host == matrix.UserMode {
		slowness = 4 // no faster than TCG
	}
	h.timeouts = qemu.TimeoutsFor(qemu.KVM, slowness)
	for name, b := range programs {
		switch name {
		case agentName:
			h.agent = b
			continue
		case stage0.Probe:
			h.stage0 = b
			continue
		}
		if probe, ok := strings.CutPrefix(name, "probes/"); ok {
			h.probes[probe] = b
		}
	}
	if h.stage0 == nil && (h.agent == nil || len(h.probes) == 0) {
		return errors.New("the guest programs hold no agent or no probes; build them anew")
	}
	h.before, err = h.settings(ctx)
	return err
}

// hold makes a private folder on the target and removes it when its own input ends. So the
// folder goes with the connection, however that ends.
const hold = `trap "" HUP INT TERM PIPE
d=$(mktemp -d "${TMPDIR:-/tmp}/mapstack.XXXXXXXX") || exit 1
d=$(cd "$d" && pwd -P) && chmod 711 "$d" && mkdir -m 1777 "$d/tmp" || exit 1
printf "folder %s\n" "$d"
cat >/dev/null
rm -rf "$d"`

// sweep ends what runs from a folder on the target, and removes the folder. The end of the
// connection would do both, but the system may not have noticed it yet. The agent ends its
// probes and what they started. A program without an agent is killed. The rounds are bounded,
// because nobody would end the script if this connection is lost, too.
const sweep = `d=%s
for round in 0 1 2 3 4 5 6 7 8 9; do for again in 0 1 2 3 4 5 6 7 8 9; do
	left=
	for p in /proc/[0-9]*; do
		case "$(readlink "$p/exe" 2>/dev/null)" in
		"$d"/agent*) left="$left ${p#/proc/}"; kill -TERM "${p#/proc/}" 2>/dev/null ;;
		"$d"/*) left="$left ${p#/proc/}"; kill -KILL "${p#/proc/}" 2>/dev/null ;;
		esac
	done
	# Whoever held the folder may be removing it, too.
	[ "$left" ] || rm -rf "$d" 2>/dev/null
	[ "$left" ] || [ -e "$d" ] || exit 0
done; done
echo "left: $d, processes:$left" >&2
exit 1`

// abandon removes a folder whose connection was lost, and ends what runs from it.
func (h *Hosted) abandon(ctx context.Context) error {
	if h.holder == nil {
		return nil
	}
	holder := h.holder
	h.holder = nil
	_ = holder.stop(h.timeouts.Quit) // fails if its connection is lost, too
	if _, err := h.script(ctx, fmt.Sprintf(sweep, quote(h.dir)), nil); err != nil {
		return fmt.Errorf("end what ran in the folder %s on the target, and remove it: %w; do it by hand", h.dir, err)
	}
	return nil
}

// settle copies agent and probes to the target, unless they are there already.
func (h *Hosted) settle(ctx context.Context) error {
	if h.holder != nil {
		select {
		case <-h.holder.Exited():
			if err := h.abandon(ctx); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	said := &firstLine{line: make(chan string, 1)}
	holder, err := launch(ctx, h.shell.command(hold), said, io.Discard, h.timeouts)
	if err != nil {
		return err
	}
	var dir string
	select {
	case line := <-said.line:
		dir, _ = strings.CutPrefix(line, "folder ")
	case <-holder.Exited():
		return fmt.Errorf("make a folder on the target: %w: %s", cmp.Or(holder.err, io.EOF), holder.stderr.b)
	case <-time.After(h.timeouts.Boot):
		return errors.Join(errors.New("make a folder on the target: no answer"), holder.stop(0))
	case <-ctx.Done():
		return ctx.Err()
	}
	if !path.IsAbs(dir) || strings.ContainsAny(dir, " \t'\"$\\`") {
		return errors.Join(fmt.Errorf("make a folder on the target: it is named %q; set TMPDIR there to a plain path", dir), holder.stop(h.timeouts.Quit))
	}
	archive, err := h.archive()
	if err == nil {
		_, err = h.script(ctx, "tar -xf - -C "+dir, archive)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("put the probes on the target: %w", err), holder.stop(h.timeouts.Quit))
	}
	h.holder, h.dir = holder, dir
	return nil
}

// archive returns stage 0, agent and probes as a tar archive.
func (h *Hosted) archive() (io.Reader, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	names := map[string]string{} // of the file that has the bytes; the other names of a program are hard links
	add := func(name string, text []byte) error {
		if first, known := names[string(text)]; known {
			return w.WriteHeader(&tar.Header{Name: name, Linkname: first, Typeflag: tar.TypeLink})
		}
		names[string(text)] = name
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := w.Write(text)
		return err
	}
	err := errors.Join(w.WriteHeader(&tar.Header{Name: "probes/", Mode: 0o755, Typeflag: tar.TypeDir}), add("stage0", h.stage0), add("agent", h.agent))
	for name, text := range h.probes {
		err = errors.Join(err, add("probes/"+name, text))
	}
	return &b, errors.Join(err, w.Close())
}

// script runs a short script on the target and returns what it printed.
func (h *Hosted) script(ctx context.Context, script string, input io.Reader) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeouts.Boot)
	defer cancel()
	out := &bounded{limit: 1 << 20}
	p, err := launch(ctx, h.shell.command(script), out, io.Discard, h.timeouts)
	if err != nil {
		return "", err
	}
	if input != nil {
		// If nobody reads the input, the deadline of ctx ends the copy.
		if _, err := io.Copy(p.stdin, input); err != nil {
			_ = p.stop(h.timeouts.Quit)
			return "", fmt.Errorf("%w: %s", err, p.stderr.b)
		}
	}
	_ = p.stdin.Close()
	<-p.exited
	if p.err != nil {
		return "", fmt.Errorf("%s: %w: %s", h.name(), p.err, bytes.TrimSpace(p.stderr.b))
	}
	return out.String(), nil
}

// Early runs stage 0 on the target, as an ordinary program, and returns what it observed. It
// returns false if stage 0 said nothing, or if the architecture has no encodings.
func (h *Hosted) Early(ctx context.Context) (wire.Transcript, bool) {
	table, known := abi.Lookup(h.rec.GOARCH)
	if h.stage0 == nil || !known || h.settle(ctx) != nil {
		return wire.Transcript{}, false
	}
	var words []string
	for _, w := range h.options.Emulator {
		words = append(words, quote(w))
	}
	// What it prints counts, whatever its exit status.
	said, _ := h.script(ctx, strings.Join(append(words, h.dir+"/stage0"), " ")+" </dev/null || true", nil)
	var heard account.Account
	for line := range strings.Lines(said) {
		if f, err := wire.Decode(wire.EarlyPrefix, []byte(line)); err == nil {
			heard.Frame(f)
		}
	}
	return heard.Transcript(table)
}

// diagnosed adds what stage 0 says to the failure of an agent that did not start. If the ABI
// is not the architecture's, the target is to blame and not the infrastructure.
func (h *Hosted) diagnosed(ctx context.Context, f *failure.Failure) *failure.Failure {
	t, spoke := h.Early(ctx)
	if !spoke {
		return f
	}
	tell(f, t, h.rec.GOARCH)
	return f
}

// name returns what errors call the target.
func (h *Hosted) name() string {
	if h.options.Host == matrix.SSH {
		return h.options.Address
	}
	return "target " + string(h.options.Host)
}

// Started says that the agent was started in a system that runs already.
const Started = "started"

// Start starts an agent.
func (h *Hosted) Start(ctx context.Context, log io.Writer) (Agent, string, error) {
	var a *hostedAgent
	var err error
	for range attempts {
		if a, err = h.start(ctx, log); err == nil || ctx.Err() != nil || h.options.Host != matrix.SSH {
			break
		}
	}
	if err != nil {
		return nil, Started, h.diagnosed(ctx, h.blame(ctx, "start the agent", err))
	}
	return a, Started, nil
}

// attempts bounds the tries on a connection that breaks.
const attempts = 3

func (h *Hosted) start(ctx context.Context, log io.Writer) (*hostedAgent, error) {
	if h.agent == nil {
		return nil, &failure.Failure{Kind: failure.Missing, Message: "there is no agent, for want of a Go toolchain that compiles for " + h.rec.GOARCH + ": stage 0 runs alone"}
	}
	if err := h.settle(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	words := []string{"exec", "env", "TMPDIR=" + h.dir + "/tmp"}
	for _, w := range h.options.Emulator {
		words = append(words, quote(w))
	}
	words = append(words, h.dir+"/agent", "--probes", h.dir+"/probes")
	if len(h.options.Emulator) > 0 {
		words = append(words, "--emulator", quote(strings.Join(h.options.Emulator, " ")))
	}
	if h.options.Destructive {
		words = append(words, "--whole-machine")
	}
	a := &hostedAgent{host: h, log: log, session: newSession(h.timeouts)}
	stream := console.NewStream(log, a.session.frame, a.session.damage, func(console.Crash) {})
	var err error
	if a.process, err = launch(ctx, h.shell.command(strings.Join(words, " ")), stream, log, h.timeouts); err != nil {
		return nil, err
	}
	a.session.peer, a.stream = a.process, stream
	if a.hello, err = a.session.hello(ctx); err == nil && a.hello.Arch != h.rec.GOARCH {
		err = fmt.Errorf("the agent was built for %q", a.hello.Arch)
	}
	if err != nil {
		_ = a.process.stop(h.timeouts.Quit) // the first error counts
		return nil, a.why(err)
	}
	a.took = time.Since(began)
	return a, nil
}

// blame turns an error into a *failure.Failure.
func (h *Hosted) blame(ctx context.Context, attempted string, err error) *failure.Failure {
	var typed *failure.Failure
	f := &failure.Failure{Kind: failure.Infra, Message: fmt.Sprintf("%s: %s: %v", h.name(), attempted, err)}
	switch {
	case errors.As(err, &typed):
		return typed
	case ctx.Err() != nil:
		f.Kind, f.Message = failure.Interrupted, attempted+": the run was stopped"
	case errors.Is(err, errSilent):
		f.Kind = failure.Hang
	}
	return f
}

// Close removes what was copied to the target.
func (h *Hosted) Close() error {
	if h.holder == nil {
		return nil
	}
	holder := h.holder
	if err := holder.stop(h.timeouts.Monitor); err != nil {
		return fmt.Errorf("remove the folder %s on the target: %w", h.dir, err)
	}
	if holder.err != nil && h.options.Host == matrix.SSH {
		// The connection was lost first, and the target may not have noticed it.
		return h.abandon(context.Background())
	}
	h.holder = nil
	if _, err := os.Stat(h.dir); err == nil && h.options.Host != matrix.SSH {
		return fmt.Errorf("the folder %s could not be removed; remove it by hand", h.dir)
	}
	return nil
}

// hostedAgent is an agent in a system that runs already.
type hostedAgent struct {
	host    *Hosted
	log     io.Writer
	process *process
	session *session
	stream  *console.Stream
	hello   wire.Hello
	took    time.Duration
}

func (a *hostedAgent) Greeting() (wire.Hello, time.Duration) { return a.hello, a.took }

// Run runs a probe. If the connection is lost, it runs the probe again on a new one.
func (a *hostedAgent) Run(ctx context.Context, probe string, args []string) (wire.Transcript, error) {
	attempted := "run probe " + strings.Join(append([]string{probe}, args...), " ")
	if f := refusal(a.host.options.Host, probe, a.host.rec.GOARCH, a.host.options.Destructive); f != nil {
		return wire.Transcript{}, f
	}
	var lost error
	for range attempts {
		t, err := a.session.probe(ctx, probe, args)
		if err == nil {
			return t, nil
		}
		_ = a.process.stop(a.host.timeouts.Quit) // the first error counts
		if ctx.Err() != nil || a.host.options.Host != matrix.SSH || !errors.Is(err, errDead) {
			return t, a.host.blame(ctx, attempted, a.why(err))
		}
		lost = a.why(err)
		fmt.Fprintf(a.log, "[mapstack: the connection was lost; probe %s runs again on another]\n", probe)
		if err := a.resume(ctx); err != nil {
			return t, a.host.blame(ctx, attempted, fmt.Errorf("the connection was lost, and then: %w", err))
		}
	}
	return wire.Transcript{}, a.host.blame(ctx, attempted, fmt.Errorf("the connection was lost %d times: %w", attempts, lost))
}

// resume replaces the agent by one on another connection. Nothing of the first stays on the
// target.
func (a *hostedAgent) resume(ctx context.Context) error {
	if err := a.host.abandon(ctx); err != nil {
		return err
	}
	again, err := a.host.start(ctx, a.log)
	if err != nil {
		return err
	}
	*a = *again
	return nil
}

// why adds the program's last words to an error.
func (a *hostedAgent) why(err error) error {
	select {
	case <-a.process.exited:
		return fmt.Errorf("%w (%v): %s", err, a.process.err, bytes.TrimSpace(a.process.stderr.b))
	default:
		return err
	}
}

func (a *hostedAgent) Stop() error {
	return errors.Join(a.process.stop(a.host.timeouts.Monitor), a.stream.Err())
}

// Usage returns zeros: what the agent's children used on the target is unknown.
func (a *hostedAgent) Usage() (cpu float64, resident int64) { return 0, 0 }

// firstLine sends the first line that is written to a channel.
type firstLine struct {
	b    []byte
	line chan string
	done bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	if f.done {
		return len(p), nil
	}
	f.b = append(f.b, p...)
	if before, _, found := bytes.Cut(f.b, []byte("\n")); found || len(f.b) > 4096 {
		f.done = true
		f.line <- string(before)
	}
	return len(p), nil
}

// bounded keeps what is written, and refuses more than limit bytes.
type bounded struct {
	bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, fmt.Errorf("the target says more than %d bytes", b.limit)
	}
	return b.Buffer.Write(p)
}
