package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Machine is a running QEMU.
type Machine struct {
	timeouts Timeouts
	cmd      *exec.Cmd
	monitor  *monitor
	devices  net.Conn // to QEMU's qtest server, if it was told to have one
	stdin    *os.File
	stderr   *errorText
	exited   chan struct{}
	exitErr  error // valid once exited is closed
}

// Start runs QEMU. What the guest writes to its console goes to console. The
// machine ends when ctx does, when Stop is called, and when this process dies.
func Start(ctx context.Context, argv []string, console io.Writer, t Timeouts) (*Machine, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("make QEMU's monitor socket: %w", err)
	}
	defer theirs.Close()
	devices, theirDevices, err := socketPair()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make QEMU's device socket: %w", err), ours.Close())
	}
	defer theirDevices.Close()
	input, stdin, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make QEMU's console input: %w", err), ours.Close(), devices.Close())
	}
	defer input.Close()
	m := &Machine{timeouts: t, devices: devices, stdin: stdin, stderr: &errorText{}, exited: make(chan struct{})}
	m.cmd = exec.Command(argv[0], argv[1:]...)
	m.cmd.Stdin, m.cmd.Stdout, m.cmd.Stderr = input, console, m.stderr
	m.cmd.ExtraFiles = []*os.File{theirs, theirDevices} // monitorFD and devicesFD
	m.cmd.WaitDelay = t.Quit
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	m.monitor = newMonitor(ours)
	started := make(chan error)
	go m.own(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start QEMU %s: %w", argv[0], err)
	}
	stop := context.AfterFunc(ctx, m.Kill)
	go func() {
		<-m.exited
		stop()
	}()
	return m, nil
}

// own starts QEMU, waits for its end and closes what it was reached by, all on
// one thread: the kernel sends Pdeathsig when the thread that started the
// child ends, not when the process does.
func (m *Machine) own(started chan<- error) {
	runtime.LockOSThread()
	// A goroutine that ends locked takes its thread with it, and with the
	// thread every other child that was ever started on it with Pdeathsig.
	defer runtime.UnlockOSThread()
	defer m.monitor.conn.Close()
	defer m.devices.Close()
	defer m.stdin.Close()
	err := m.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	err = m.cmd.Wait()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, m.stderr.String())
	}
	// QEMU's last words, the reason of a shutdown, may still be in the socket.
	select {
	case <-m.monitor.gone:
	case <-time.After(m.timeouts.Quit):
	}
	m.exitErr = err
	close(m.exited)
}

// socketPair returns both ends of a connected unix socket: ours as a
// connection, theirs as a file to inherit.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ourFile, theirs := os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor of QEMU")
	defer ourFile.Close()
	ours, err := net.FileConn(ourFile)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// Send writes to the guest's console input. A guest that reads nothing fills
// the pipe; then the error is os.ErrDeadlineExceeded.
func (m *Machine) Send(p []byte) error {
	if err := m.stdin.SetWriteDeadline(time.Now().Add(m.timeouts.Monitor)); err != nil {
		return fmt.Errorf("write to the guest's console: %w", err)
	}
	if _, err := m.stdin.Write(p); err != nil {
		return fmt.Errorf("write to the guest's console: %w", err)
	}
	return nil
}

// Exited is closed when QEMU has ended and everything it wrote was read.
func (m *Machine) Exited() <-chan struct{} { return m.exited }

// Err says how QEMU ended: nil for exit status 0. Valid once Exited is closed.
func (m *Machine) Err() error { return m.exitErr }

// ShutdownReason is QEMU's own word for why the guest ended, such as
// "guest-reset", or "" while it has said nothing.
func (m *Machine) ShutdownReason() string { return m.monitor.shutdownReason() }

// Accelerated asks QEMU which accelerator it really uses.
func (m *Machine) Accelerated(ctx context.Context) (Accel, error) {
	ctx, cancel := context.WithTimeout(ctx, m.timeouts.Monitor)
	defer cancel()
	if _, err := m.monitor.execute(ctx, "qmp_capabilities", nil); err != nil {
		return "", err
	}
	reply, err := m.monitor.execute(ctx, "query-kvm", nil)
	if err != nil {
		return "", err
	}
	var kvm struct {
		Enabled bool `json:"enabled"`
	}
	if err := json.Unmarshal(reply, &kvm); err != nil {
		return "", fmt.Errorf("QMP query-kvm: %w", err)
	}
	if kvm.Enabled {
		return KVM, nil
	}
	return TCG, nil
}

// Usage is what a QEMU that has ended took of the host: seconds of CPU, and its
// largest resident memory in bytes. Zero while it runs.
func (m *Machine) Usage() (cpu float64, resident int64) {
	select {
	case <-m.exited:
	default:
		return 0, 0
	}
	state := m.cmd.ProcessState
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0
	}
	return (state.UserTime() + state.SystemTime()).Seconds(), usage.Maxrss << 10 // Linux counts KiB
}

// Pid is QEMU's process id.
func (m *Machine) Pid() int { return m.cmd.Process.Pid }

// Kill ends QEMU at once. It has no children, so its process is all there is.
func (m *Machine) Kill() { _ = m.cmd.Process.Kill() }

// Stop kills QEMU and waits until it is gone; again is harmless. The guest
// holds nothing that a clean shutdown would save: its disk is memory.
func (m *Machine) Stop() error {
	m.Kill()
	select {
	case <-m.exited:
		return nil
	case <-time.After(m.timeouts.Monitor):
		return fmt.Errorf("QEMU (pid %d) did not end within %v of being killed", m.cmd.Process.Pid, m.timeouts.Monitor)
	}
}

// errorText keeps the beginning of what QEMU writes to stderr.
type errorText struct {
	mu sync.Mutex
	b  []byte
}

func (e *errorText) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if room := 4096 - len(e.b); room > 0 {
		e.b = append(e.b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (e *errorText) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.b) == 0 {
		return "it said nothing on stderr"
	}
	return string(e.b)
}
