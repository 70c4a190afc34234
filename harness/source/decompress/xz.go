package decompress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// xzMemory bounds the memory of xz(1): maxWindow and its buffers for one thread.
// xz(1) starts fewer threads before it takes more memory.
const xzMemory = "--memlimit-decompress=512MiB"

// maxComplaint bounds what is kept of the error output of xz(1), in bytes.
const maxComplaint = 1 << 10

// drainDelay bounds the wait for a source that still blocks after xz(1) died.
const drainDelay = 2 * time.Second

// process is a decoder that runs as a program.
type process struct {
	cmd       *exec.Cmd
	out       io.ReadCloser
	src       *source
	complaint complaint
	cancel    context.CancelFunc
	ended     bool
	err       error
}

// asking bounds how long xz(1) may take to say what it is.
const asking = 5 * time.Second

// xzUtils returns the path of the xz in PATH, if it is that of XZ Utils; else "". BusyBox has one
// of the same name, which knows other flags.
func xzUtils(ctx context.Context) string {
	path, err := exec.LookPath("xz")
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = drainDelay
	said, err := cmd.Output()
	if err != nil || !bytes.HasPrefix(said, []byte("xz (XZ Utils)")) {
		return ""
	}
	return path
}

func startXZ(ctx context.Context, path string, src *source) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &process{src: src, cancel: cancel}
	p.cmd = exec.CommandContext(ctx, path, "--decompress", "--stdout", "--threads=0", xzMemory)
	// The user's defaults for xz(1) must not change the result.
	p.cmd.Env = []string{"LC_ALL=C"}
	p.cmd.Stdin = src
	p.cmd.Stderr = &p.complaint
	p.cmd.WaitDelay = drainDelay
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var err error
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		cancel()
		return nil, fmt.Errorf("making a pipe to %s: %w", path, err)
	}
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return p, nil
}

// Read returns the program's failure at the end of its output: xz(1) writes what it
// could decode before it reports damage.
func (p *process) Read(b []byte) (int, error) {
	if p.ended {
		return 0, p.err
	}
	n, err := p.out.Read(b)
	if err == nil {
		return n, nil
	}
	p.end()
	if p.err == nil {
		p.err = io.EOF
	}
	return n, p.err
}

// Close ends the program, even if not all of its output was read.
func (p *process) Close() error {
	p.cancel()
	if !p.ended {
		p.end()
		p.err = errors.New("read after Close")
	}
	return nil
}

func (p *process) end() {
	p.ended = true
	err := p.cmd.Wait()
	p.cancel()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		p.err = err
		return
	}
	if p.src.err != nil {
		p.err = p.src.err
		return
	}
	p.err = fmt.Errorf("%s: %w", strings.TrimSpace(p.complaint.String()), err)
}

// complaint keeps the beginning of what a process writes to standard error.
type complaint struct{ bytes.Buffer }

func (c *complaint) Write(b []byte) (int, error) {
	if room := maxComplaint - c.Len(); room > 0 {
		c.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
