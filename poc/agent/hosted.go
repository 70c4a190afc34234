package agent

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// setChildSubreaper is PR_SET_CHILD_SUBREAPER (include/uapi/linux/prctl.h), the
// same on every architecture.
const setChildSubreaper = 36

// serveHosted answers requests on standard input and output until the input ends.
// The input also ends when the host is killed or cut off. No process of a probe is
// left then.
func serveHosted(args []string) (status int) {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	dir := flags.String("probes", "", "folder of the probes")
	emulator := flags.String("emulator", "", "command that runs the probes, words separated by spaces")
	whole := flags.Bool("whole-machine", false, "let probes lower limits of the machine that others use")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := hosted(*dir, strings.Fields(*emulator), *whole); err != nil {
		fmt.Fprintln(os.Stderr, "mapstack agent:", err)
		return 1
	}
	return 0
}

func hosted(dir string, emulator []string, whole bool) error {
	probes, err := listProbes(dir)
	if err != nil {
		return err
	}
	var notes []string
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, setChildSubreaper, 1, 0, 0, 0, 0); errno != 0 {
		notes = append(notes, fmt.Sprintf("become the parent of orphans: %v; what a probe leaves behind may stay", errno))
	}
	p := place{probes: dir, home: os.TempDir(), emulator: emulator, deathSignal: syscall.SIGKILL, hosted: true}
	if len(emulator) > 0 {
		p.env = append(p.env, probe.EmulatorVariable+"="+strings.Join(emulator, " "))
	}
	if whole {
		p.env = append(p.env, limit.WholeMachineVariable+"=1")
	}
	// Requests must still be read while a probe has taken every available thread.
	limit.Prewarm()
	s := newSession(os.Stdout, greeting(probes, notes), p)
	if err := s.greet(); err != nil {
		return err
	}
	answered := make(chan error, 1)
	ended := newNotice(os.Stdin)
	go func() {
		// The kernel sends SIGKILL to a probe when the thread that started it ends.
		// This keeps that thread.
		runtime.LockOSThread()
		answered <- s.answer(ended)
	}()
	// These signals are caught rather than ignored, because probes would inherit
	// ignored ones.
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	select {
	case err = <-answered:
	case <-told:
	case <-ended.closed:
		// A probe may still run, but nobody waits for its answer.
	}
	select {
	case <-ended.closed:
		err = nil
	default:
	}
	p.reap()
	return err
}

// notice is an input that closes a channel when it ends. So its end is noticed even
// while earlier requests wait for a probe.
type notice struct {
	*os.File
	closed chan struct{}
	said   bool
}

func newNotice(f *os.File) *notice { return &notice{File: f, closed: make(chan struct{})} }

func (n *notice) Read(p []byte) (int, error) {
	read, err := n.File.Read(p)
	if err != nil && !n.said {
		n.said = true
		close(n.closed)
	}
	return read, err
}
