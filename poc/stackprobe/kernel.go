package stackprobe

import (
	"fmt"
	"os"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// Kernel is the System of the running kernel.
type Kernel struct{ Calls *sys.Kernel }

func page() uintptr { return uintptr(os.Getpagesize()) }

// Map maps one page.
func (k Kernel) Map(prot, flags uint64) (uintptr, syscall.Errno) {
	return k.Calls.Mmap(0, page(), prot, flags, -1, 0)
}

// Protect changes the protection of a page.
func (k Kernel) Protect(at uintptr, prot uint64) syscall.Errno {
	return k.Calls.Mprotect(at, page(), prot)
}

// Unmap unmaps a page.
func (k Kernel) Unmap(at uintptr) syscall.Errno { return k.Calls.Munmap(at, page()) }

// Perms reads /proc/self/maps.
func (k Kernel) Perms(at uintptr) (string, error) {
	mapped, err := probe.Layout()
	if err != nil {
		return "", err
	}
	for _, v := range mapped {
		if v.Start <= at && at < v.End {
			return v.Perms, nil
		}
	}
	return "", fmt.Errorf("no mapping contains %#x", at)
}

// Store uses read(2) to put a byte from a pipe into the page.
func (k Kernel) Store(at uintptr, b byte) syscall.Errno {
	out, in, errno := pipe()
	if errno != 0 {
		return errno
	}
	defer syscall.Close(out)
	defer syscall.Close(in)
	if _, err := syscall.Write(in, []byte{b}); err != nil {
		return number(err)
	}
	_, _, errno = syscall.RawSyscall(syscall.SYS_READ, uintptr(out), at, 1)
	return errno
}

// Load uses write(2) to put a byte of the page into a pipe.
func (k Kernel) Load(at uintptr) (byte, syscall.Errno) {
	out, in, errno := pipe()
	if errno != 0 {
		return 0, errno
	}
	defer syscall.Close(out)
	defer syscall.Close(in)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(in), at, 1); errno != 0 {
		return 0, errno
	}
	var b [1]byte
	_, err := syscall.Read(out, b[:])
	return b[0], number(err)
}

// pipe returns a pipe that never blocks, so that a kernel which loses a byte cannot
// stop the detector.
func pipe() (out, in int, errno syscall.Errno) {
	var fds [2]int
	err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK)
	return fds[0], fds[1], number(err)
}

// number returns the errno in an error of package syscall, 0 for nil. The calls
// here return no other errors.
func number(err error) syscall.Errno {
	errno, _ := err.(syscall.Errno)
	return errno
}
