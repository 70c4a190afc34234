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
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is a running QEMU.
type Machine struct {
	timeouts Timeouts
	cmd      *exec.Cmd
	monitor  *monitor
	devices  net.Conn // to QEMU's qtest server, unused unless its command line asks for one
	stdin    *os.File
	stderr   *errorText
	handed   *handover
	exited   chan struct{}
	exitErr  error // valid once exited is closed
}

// Start runs the machine of a configuration. The guest's console output goes to
// console. The machine ends when ctx does, when Stop is called, and when this
// process dies.
func Start(ctx context.Context, cfg Config, console io.Writer, t Timeouts) (*Machine, error) {
	l, err := cfg.launch()
	if err != nil {
		return nil, err
	}
	defer l.close()
	return start(ctx, l, console, t)
}

func start(ctx context.Context, l launch, console io.Writer, t Timeouts) (*Machine, error) {
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
	m := &Machine{timeouts: t, devices: devices, stdin: stdin, stderr: &errorText{}, handed: l.handover, exited: make(chan struct{})}
	m.cmd = exec.Command(l.argv[0], l.argv[1:]...)
	m.cmd.Stdin, m.cmd.Stdout, m.cmd.Stderr = input, console, m.stderr
	m.cmd.ExtraFiles = append([]*os.File{theirs, theirDevices}, l.files...) // monitorFD, devicesFD, and what follows
	m.cmd.Env = l.env
	m.cmd.WaitDelay = t.Quit
	m.cmd.SysProcAttr = attributes(l.user)
	m.monitor = newMonitor(ours)
	started := make(chan error)
	go m.own(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start QEMU %s: %w", l.argv[0], err)
	}
	stop := context.AfterFunc(ctx, m.Kill)
	go func() {
		<-m.exited
		stop()
	}()
	return m, nil
}

// own starts QEMU, waits for its end and closes our ends of its sockets. It stays
// on one thread: the kernel sends Pdeathsig when the thread that started the child
// ends, and not when the process does.
func (m *Machine) own(started chan<- error) {
	runtime.LockOSThread()
	// If this goroutine ended while it is locked, its thread would end too. Pdeathsig
	// would then kill every other child that was ever started on that thread.
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
	// The event with the reason of a shutdown may still be in the socket.
	select {
	case <-m.monitor.gone:
	case <-time.After(m.timeouts.Quit):
	}
	m.exitErr = err
	close(m.exited)
}

// socketPair returns both ends of a connected unix socket: ours as a connection,
// and theirs as a file that QEMU inherits.
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

// Send writes to the guest's console input. If the guest reads nothing and the pipe
// is full, the error is os.ErrDeadlineExceeded.
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

// Err returns nil if QEMU ended with exit status 0. It is valid once Exited is closed.
func (m *Machine) Err() error { return m.exitErr }

// ShutdownReason returns QEMU's name for the reason why the guest ended, such as
// "guest-reset". It is empty until QEMU has sent one.
func (m *Machine) ShutdownReason() string { return m.monitor.shutdownReason() }

// Accelerated asks QEMU which accelerator it uses.
func (m *Machine) Accelerated(ctx context.Context) (Accel, error) {
	ctx, cancel := m.within(ctx, m.timeouts.Monitor)
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

// Usage returns the CPU time that QEMU has used so far, in seconds, and its largest
// resident memory in bytes. Both are zero if they are unknown.
func (m *Machine) Usage() (cpu float64, resident int64) {
	select {
	case <-m.exited:
		state := m.cmd.ProcessState
		usage, ok := state.SysUsage().(*syscall.Rusage)
		if !ok {
			return 0, 0
		}
		return (state.UserTime() + state.SystemTime()).Seconds(), usage.Maxrss << 10 // Linux counts KiB
	default:
		return running(m.Pid())
	}
}

// running returns what a running process has used: seconds of CPU, and its largest resident
// memory in bytes.
func running(pid int) (cpu float64, resident int64) {
	// The clock of another process's CPU time, as clock_getcpuclockid(3) makes it.
	var t unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|2), &t) != nil {
		return 0, 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, _ = fmt.Sscan(kib, &resident) // it stays 0 if it is no number
			resident <<= 10
		}
	}
	return float64(t.Nano()) / 1e9, resident
}

// Pid returns QEMU's process id.
func (m *Machine) Pid() int { return m.cmd.Process.Pid }

// Kill ends QEMU at once. QEMU has no children, so no other process is left.
func (m *Machine) Kill() { _ = m.cmd.Process.Kill() }

// Stop kills QEMU and waits until it is gone. It may be called again. A guest need
// not shut down cleanly, since it keeps nothing: its file system is in memory, or
// its writes to a disk are thrown away.
func (m *Machine) Stop() error {
	m.Kill()
	select {
	case <-m.exited:
		return nil
	case <-time.After(m.timeouts.Monitor):
		return fmt.Errorf("QEMU (pid %d) did not end within %v after it was killed", m.cmd.Process.Pid, m.timeouts.Monitor)
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
