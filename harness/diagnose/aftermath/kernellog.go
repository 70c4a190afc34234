package aftermath

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// KernelLog reads the kernel's log as it is now, a record on a line. It needs root where
// kernel.dmesg_restrict is 1.
func KernelLog() (io.Reader, error) {
	const at = "/dev/kmsg"
	fd, err := syscall.Open(at, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the kernel's log %s: %w", at, err)
	}
	defer syscall.Close(fd)
	var text bytes.Buffer
	record := make([]byte, 8<<10) // a read returns one record; CONSOLE_EXT_LOG_MAX
	for text.Len() < maxLog {
		n, err := syscall.Read(fd, record)
		switch {
		case errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EINTR):
			continue // older records were overwritten meanwhile
		case errors.Is(err, syscall.EAGAIN) || n == 0 && err == nil:
			return &text, nil
		case err != nil:
			return nil, fmt.Errorf("read the kernel's log %s: %w", at, err)
		}
		text.Write(record[:n])
	}
	return &text, nil
}
