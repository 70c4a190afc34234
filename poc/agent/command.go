package agent

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

const (
	// maxObservation bounds one line of a probe, in bytes. It leaves room in a
	// frame for the record around it.
	maxObservation = wire.MaxPayload - 256
	// maxObservations bounds one run. A probe makes hundreds; a broken one might
	// never stop.
	maxObservations = 8192
	// pipeWait bounds how long the pipes stay open after the probe ended. A stray
	// grandchild may hold them.
	pipeWait = 20 * time.Second
)

// run runs one probe in its own process group and passes on each observation as it
// comes. It leaves no process behind.
func (p place) run(path string, args []string, limit time.Duration, observe func(wire.Observation)) wire.Exit {
	var exit wire.Exit
	stdout, stdoutW, err := os.Pipe()
	if err != nil {
		return wire.Exit{Code: -1, Stderr: "agent: " + err.Error()}
	}
	stderr := &ends{limit: wire.StderrLimit}
	argv := append(append(append([]string{}, p.emulator...), path), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = p.environment()
	cmd.Dir = "/"
	cmd.Stdout = stdoutW
	// stderr is a file because with another writer exec waits until nobody holds the
	// pipe.
	stderrR, stderrW, err := os.Pipe()
	if err != nil {
		stdout.Close()
		stdoutW.Close()
		return wire.Exit{Code: -1, Stderr: "agent: " + err.Error()}
	}
	cmd.Stderr = stderrW
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: p.deathSignal}
	startErr := cmd.Start()
	stdoutW.Close()
	stderrW.Close()
	if startErr != nil {
		stdout.Close()
		stderrR.Close()
		return wire.Exit{Code: -1, Stderr: "agent: " + startErr.Error()}
	}

	stderrDone := make(chan struct{})
	go func() {
		_, _ = io.Copy(stderr, stderrR)
		close(stderrDone)
	}()
	ended := make(chan struct{})
	expired := time.AfterFunc(limit, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	started := time.Now()
	go func() {
		defer close(ended)
		_ = cmd.Wait() // ProcessState has the result
		exit.TimedOut = !expired.Stop() && time.Since(started) >= limit
		// A process that the probe left running would disturb the next probe, and may
		// hold the pipes open.
		p.killStrays()
		_ = stdout.SetReadDeadline(time.Now().Add(pipeWait))
		_ = stderrR.SetReadDeadline(time.Now().Add(pipeWait))
	}()
	exit.Dropped = wire.ReadObservations(stdout, maxObservation, maxObservations, observe)
	<-stderrDone
	<-ended
	stdout.Close()
	stderrR.Close()
	p.reap()

	exit.Stderr = stderr.String()
	exit.Code = cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		exit.Signal = ws.Signal().String()
	}
	return exit
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
