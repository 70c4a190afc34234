package agent

import (
	"io"
	"os"
	"syscall"

	"github.com/mapstack/conformance/poc/wire"
)

const (
	// setPipeSize is F_SETPIPE_SZ (include/uapi/linux/fcntl.h), the same on every
	// architecture.
	setPipeSize = 1031
	// pipeSize is asked for in bytes, so that no probe waits until its output is read.
	pipeSize = 256 << 10
	// setsWhenSent is TCSETSW, which follows TCSETS on every architecture
	// (include/uapi/asm-generic/ioctls.h and its counterparts).
	setsWhenSent = syscall.TCSETS + 1
)

// output is the pipe that a probe prints to. It is read now and then and not whenever
// something comes: waking the agent for every observation costs more than the observation.
type output struct {
	fd    int      // the end to read, which never blocks
	write *os.File // the probe's end, until it is started
}

func newOutput() (*output, error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil, err
	}
	// Without it the pipe has its usual size.
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[1]), setPipeSize, pipeSize)
	return &output{fd: fds[0], write: os.NewFile(uintptr(fds[1]), "output of the probe")}, nil
}

// drain passes on what the pipe holds. held reports whether a process may still write.
func (o *output) drain(to io.Writer, buffer []byte) (held bool, err error) {
	for {
		n, err := syscall.Read(o.fd, buffer)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return true, nil
		case err != nil:
			return false, err
		case n == 0:
			return false, nil
		default:
			if _, err := to.Write(buffer[:n]); err != nil {
				return false, err
			}
		}
	}
}

func (o *output) close() {
	syscall.Close(o.fd)
	o.write.Close() // it may be closed already
}

// passer sends what a probe prints to the host.
type passer struct {
	out     *wire.Deflater
	console io.Writer
}

func (p passer) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p passer) flush() error { return p.out.Flush() }

// settle waits until the console has passed on everything that was written to it. A pipe
// has passed it on already.
func (p passer) settle() {
	f, is := p.console.(*os.File)
	if !is {
		return
	}
	var t syscall.Termios
	if ioctl(f, syscall.TCGETS, &t) == nil {
		_ = ioctl(f, setsWhenSent, &t) // it waits, and sets what is set
	}
}

// bounded passes on the first bytes and notes that there were more.
type bounded struct {
	to   io.Writer
	left int
	cut  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	if n > b.left {
		p, b.cut = p[:b.left], true
	}
	b.left -= len(p)
	_, err := b.to.Write(p)
	return n, err
}
