package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// reader reads the memory of a thread that stands still.
type reader struct {
	tracer *tracer
	thread *thread
	abi    *abiCalls
}

// page is the smallest page. Two pages may differ in whether they can be read.
const page = 4096

// bytes reads up to n bytes. Fewer come when the rest is not mapped, and none when the
// memory may not be read.
func (r reader) bytes(at uint64, n int) []byte {
	p := make([]byte, n)
	got := 0
	for got < n {
		piece := p[got:min(n, got+page-int((at+uint64(got))%page))]
		k, err := r.piece(at+uint64(got), piece)
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EIO) {
			r.tracer.gap(r.thread, Unreadable, "")
		}
		if got += k; k < len(piece) {
			break
		}
	}
	return p[:got]
}

// piece reads within a page.
func (r reader) piece(at uint64, p []byte) (int, error) {
	local := []unix.Iovec{{Base: &p[0]}}
	local[0].SetLen(len(p))
	n, err := unix.ProcessVMReadv(r.thread.tid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(p)}}, 0)
	if errors.Is(err, syscall.ENOSYS) { // no CONFIG_CROSS_MEMORY_ATTACH
		n, err = syscall.PtracePeekData(r.thread.tid, uintptr(at), p)
	}
	return max(n, 0), err
}

// words reads n words of the ABI's size.
func (r reader) words(at uint64, n int) ([]uint64, bool) {
	if r.abi.word == 8 {
		return r.words64(at, n)
	}
	b := r.bytes(at, 4*n)
	if len(b) < 4*n {
		return nil, false
	}
	words := make([]uint64, n)
	for i := range words {
		words[i] = uint64(binary.NativeEndian.Uint32(b[4*i:]))
	}
	return words, true
}

// words64 reads n words of 64 bits.
func (r reader) words64(at uint64, n int) ([]uint64, bool) {
	b := r.bytes(at, 8*n)
	if len(b) < 8*n {
		return nil, false
	}
	words := make([]uint64, n)
	for i := range words {
		words[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	return words, true
}

// text reads a string that ends with a zero byte; "" if it cannot be read.
func (r reader) text(at uint64) string {
	const longest = 4096 // PATH_MAX
	before, _, ended := bytes.Cut(r.bytes(at, longest), []byte{0})
	if !ended {
		return ""
	}
	return string(before)
}

const (
	// mostWritten is how many bytes are read of one call: more than any text of the
	// Go runtime has.
	mostWritten = 4096
	// mostParts is how many parts of a writev are read.
	mostParts = 16
)

// writes reports what a thread is about to write to standard error.
func (t *tracer) writes(th *thread, in *abiCalls, name string, args [6]uint64) {
	if uint32(args[0]) != uint32(syscall.Stderr) || t.silent {
		return
	}
	r := reader{t, th, in}
	var text []byte
	if name == callWrite {
		text = r.bytes(args[1], int(min(args[2], mostWritten)))
	} else if parts, ok := r.words(args[1], int(2*min(args[2], mostParts))); ok {
		for i := 0; i < len(parts) && len(text) < mostWritten; i += 2 {
			text = append(text, r.bytes(parts[i], int(min(parts[i+1], mostWritten)))...)
		}
	}
	if len(text) > 0 {
		t.observe(func(o Observer) { o.Wrote(t.process(th), text) })
	}
}

// inside returns a path of a process as this process has it.
func inside(tid int, path string) string {
	of := fmt.Sprintf("/proc/%d", tid)
	if filepath.IsAbs(path) {
		return filepath.Join(of, "root", path)
	}
	return filepath.Join(of, "cwd", path)
}
