package quarantine

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// Serve is the whole life of a process in quarantine: it bounds itself, does the named one
// of the jobs, and answers on its standard output.
func Serve(ctx context.Context, name string, jobs ...Job) error {
	if err := bound(); err != nil {
		return err
	}
	arguments, err := io.ReadAll(io.LimitReader(os.Stdin, maxMeta))
	if err != nil {
		return err
	}
	files := inherited()
	for _, j := range jobs {
		if j.Name != name {
			continue
		}
		answer, err := run(ctx, j, arguments, files)
		return send(os.Stdout, answer, err)
	}
	return fmt.Errorf("%q is none of this program's jobs in quarantine; it is started by mapstack alone", name)
}

// bound gives this process less than it has. It has read no foreign byte yet.
func bound() error {
	for _, b := range []struct {
		what  int
		limit uint64
	}{
		{unix.RLIMIT_DATA, maxMemory}, {unix.RLIMIT_AS, maxAddress}, {unix.RLIMIT_CPU, maxCPU}, {unix.RLIMIT_FSIZE, maxFile}, {unix.RLIMIT_CORE, 0},
	} {
		var have unix.Rlimit
		if err := unix.Getrlimit(b.what, &have); err != nil {
			return fmt.Errorf("bound a process that reads hostile bytes: %w", err)
		}
		limit := min(b.limit, have.Max)
		if err := unix.Setrlimit(b.what, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("bound a process that reads hostile bytes: %w", err)
		}
	}
	// Garbage is collected before it counts.
	debug.SetMemoryLimit(maxMemory / 2)
	return nil
}

// inherited returns the files that this process was started with, in their order.
func inherited() []*os.File {
	var files []*os.File
	for fd := 3; ; fd++ {
		// The runtime's own descriptors close on exec.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
			return files
		}
		files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("file %d", fd-3)))
	}
}

// run does a job. The libraries for file systems were written for undamaged files, and may
// panic.
func run(ctx context.Context, j Job, arguments []byte, files []*os.File) (answer Answer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it is damaged: its reader stopped with %v", r)
		}
	}()
	return j.Run(ctx, arguments, files)
}

// head begins an answer. The blobs follow.
type head struct {
	Meta  json.RawMessage `json:"meta,omitempty"`
	Error string          `json:"error,omitempty"`
	Blobs []int64         `json:"blobs,omitempty"` // their lengths
}

func send(to io.Writer, answer Answer, failed error) error {
	h := head{}
	if failed != nil {
		h.Error = failed.Error()
		answer.Blobs = nil
	} else {
		meta, err := json.Marshal(answer.Meta)
		if err != nil {
			return err
		}
		h.Meta = meta
	}
	for _, b := range answer.Blobs {
		h.Blobs = append(h.Blobs, int64(len(b)))
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(to)
	if err := binary.Write(w, binary.BigEndian, int64(len(text))); err != nil {
		return err
	}
	// Flush returns the errors of these writes.
	_, _ = w.Write(text)
	for _, b := range answer.Blobs {
		_, _ = w.Write(b)
	}
	return w.Flush()
}

// receive reads an answer, which a process that was taken over may have written.
func receive(from io.Reader, limit int64, meta any) ([][]byte, error) {
	r := bufio.NewReader(from)
	var length int64
	if err := binary.Read(r, binary.BigEndian, &length); err != nil {
		return nil, fmt.Errorf("it gave no answer: %w", err)
	}
	if length <= 0 || length > maxMeta {
		return nil, fmt.Errorf("its answer has %d bytes, which is not between 1 and %d", length, maxMeta)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("its answer is cut short: %w", err)
	}
	var h head
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, fmt.Errorf("its answer cannot be read: %w", err)
	}
	if h.Error != "" {
		return nil, &jobError{h.Error}
	}
	var blobs [][]byte
	for _, n := range h.Blobs {
		if n < 0 || n > limit {
			return nil, fmt.Errorf("its answer has a part of %d bytes, and %d are left", n, limit)
		}
		limit -= n
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, fmt.Errorf("its answer is cut short: %w", err)
		}
		blobs = append(blobs, b)
	}
	if err := json.Unmarshal(h.Meta, meta); err != nil {
		return nil, fmt.Errorf("its answer cannot be read: %w", err)
	}
	return blobs, nil
}
