package agent

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

const (
	// tick is how often what a probe printed is read and sent, so that little is lost if
	// the guest dies.
	tick = time.Second
	// readSize bounds one read of a probe's output, in bytes.
	readSize = 64 << 10
)

// run runs one probe in its own process group and passes on what it prints. It leaves no
// process behind. An error means that the host cannot be reached.
// The probe may wait stretch times as long as on an idle host.
func (p place) run(path string, args []string, limit time.Duration, stretch int, to passer) (wire.Exit, error) {
	failed := func(err error) (wire.Exit, error) { return wire.Exit{Code: -1, Stderr: "agent: " + err.Error()}, nil }
	stdout, err := newOutput()
	if err != nil {
		return failed(err)
	}
	defer stdout.close()
	stderr, err := newOutput()
	if err != nil {
		return failed(err)
	}
	defer stderr.close()
	ours, theirs, err := syncPair()
	if err != nil {
		return failed(err)
	}
	defer ours.Close()
	defer theirs.Close()
	argv := append(append(append([]string{}, p.emulator...), path), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(p.environment(), wire.SyncVariable+"=1", wire.StretchVariable+"="+strconv.Itoa(stretch))
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, stdout.write, stderr.write
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: p.deathSignal}
	if err := cmd.Start(); err != nil {
		return failed(err)
	}
	theirs.Close()
	stdout.write.Close()
	stderr.write.Close()

	ended, asked := make(chan bool, 1), make(chan struct{}, 1)
	go func() { ended <- p.wait(cmd, limit) }()
	go listen(ours, asked)
	r := reader{stdout: stdout, stderr: stderr, buffer: make([]byte, readSize), to: to,
		kept: bounded{to: to, left: wire.MaxOutput}, text: ends{limit: wire.StderrLimit}}
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	var exit wire.Exit
	for running := true; running; {
		select {
		case exit.TimedOut = <-ended:
			running = false
		case <-asked:
			if err = r.pass(); err == nil {
				to.settle()
				// A probe that has died reads nothing any more. Its exit says how.
				_, _ = ours.Write([]byte{0})
			}
		case <-ticks.C:
			err = r.pass()
		}
		if err != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
			return exit, err
		}
	}
	err = r.pass()
	p.reap()

	exit.Cut, exit.Stderr = r.held || r.kept.cut, r.text.String()
	exit.Code = cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		exit.Signal = ws.Signal().String()
	}
	return exit, err
}

// wait waits for a probe, or kills it when its time is over. It reports whether it did.
func (p place) wait(cmd *exec.Cmd, limit time.Duration) (expired bool) {
	timer := time.AfterFunc(limit, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	started := time.Now()
	_ = cmd.Wait() // ProcessState has the result
	expired = !timer.Stop() && time.Since(started) >= limit
	// A process that the probe left running would disturb the next probe.
	p.killStrays()
	return expired
}

// reader passes on what a probe prints.
type reader struct {
	stdout, stderr *output
	buffer         []byte
	to             passer
	kept           bounded // of stdout
	text           ends    // of stderr
	held           bool    // a process may still write to stdout
}

func (r *reader) pass() (err error) {
	if _, err = r.stderr.drain(&r.text, r.buffer); err != nil {
		return err
	}
	if r.held, err = r.stdout.drain(&r.kept, r.buffer); err != nil {
		return err
	}
	return r.to.flush()
}

// ends keeps the beginning and the end of what is written to it. A Go crash gives
// its reason first, other programs give it last.
type ends struct {
	limit      int // bytes of String, cutMark included
	head, tail []byte
	cut        bool
}

const cutMark = "\n[...]\n"

func (e *ends) Write(p []byte) (int, error) {
	half := (e.limit - len(cutMark)) / 2
	n := len(p)
	if room := half - len(e.head); room > 0 {
		if room > len(p) {
			room = len(p)
		}
		e.head, p = append(e.head, p[:room]...), p[room:]
	}
	e.tail = append(e.tail, p...)
	if over := len(e.tail) - half; over > 0 {
		e.tail = append(e.tail[:0], e.tail[over:]...)
		e.cut = true
	}
	return n, nil
}

func (e *ends) String() string {
	mark := ""
	if e.cut {
		mark = cutMark
	}
	return strings.ToValidUTF8(string(e.head)+mark+string(e.tail), "?")
}
