// Package fatal recognises what the Go runtime prints when it ends a program that
// got no thread or no memory.
package fatal

import (
	"bytes"
	"regexp"
	"strconv"
)

// Kind says what the runtime could not get.
type Kind string

// Kinds of texts.
const (
	// Thread: newosproc in runtime/os_linux.go.
	Thread Kind = "thread"
	// CgoThread: x_cgo_thread_start and _cgo_try_pthread_create in runtime/cgo.
	CgoThread Kind = "cgo-thread"
	// TooManyThreads is the runtime's own limit, debug.SetMaxThreads.
	TooManyThreads Kind = "too-many-threads"
	// Memory: sysMap, sysReserve and mallocinit in runtime/mem_linux.go and malloc.go.
	Memory Kind = "memory"
	// LockedMemory and Denied are mmap's EAGAIN and EACCES in runtime/mem_linux.go.
	LockedMemory Kind = "locked-memory"
	Denied       Kind = "mmap-denied"
)

// Text is what the runtime said.
type Text struct {
	Kind Kind   `json:"kind"`
	Line string `json:"line"` // without the end of the line
	// Have is how many threads the runtime counts, or its own limit. It is 0 when the
	// text has no number.
	Have uint64 `json:"have,omitempty"`
	// Errno is the number on this architecture; 0 when the text has none.
	Errno int `json:"errno,omitempty"`
	// Reason is the message of a C library, which stands in place of the number.
	Reason string `json:"reason,omitempty"`
}

// Reader recognises a text in a stream of bytes that may be cut anywhere: the runtime
// writes a line in pieces.
type Reader struct {
	line  []byte
	found []Text
}

const (
	// maxLine bounds how much of a line is kept, bytes; the longest text has 120.
	maxLine = 512
	// maxTexts bounds how many texts are kept until they are taken.
	maxTexts = 16
)

// Write reads more of the stream. It never fails.
func (r *Reader) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		part := rest
		if end >= 0 {
			part = rest[:end]
		}
		r.line = append(r.line, part[:min(len(part), maxLine-len(r.line))]...)
		if end < 0 {
			break
		}
		r.finish()
		rest = rest[end+1:]
	}
	return len(p), nil
}

func (r *Reader) finish() {
	if t, ok := Recognise(r.line); ok && len(r.found) < maxTexts {
		r.found = append(r.found, t)
	}
	r.line = r.line[:0]
}

// Take returns the texts that were found since the last call. A line counts once its
// end was read.
func (r *Reader) Take() []Text {
	found := r.found
	r.found = nil
	return found
}

// Recognise reads one line. A text may follow the time of a logger, or the name of a
// container.
func Recognise(line []byte) (Text, bool) {
	for _, p := range patterns {
		m := p.line.FindSubmatch(line)
		if m == nil {
			continue
		}
		t := Text{Kind: p.kind, Line: string(m[0])}
		for i, name := range p.line.SubexpNames() {
			switch name {
			case "have":
				t.Have, _ = strconv.ParseUint(string(m[i]), 10, 64)
			case "errno":
				t.Errno, _ = strconv.Atoi(string(m[i]))
			case "reason":
				t.Reason = string(bytes.TrimSpace(m[i]))
			}
		}
		return t, true
	}
	return Text{}, false
}

type pattern struct {
	kind Kind
	line *regexp.Regexp
}

// patterns are tried in this order.
var patterns = []pattern{
	{Thread, regexp.MustCompile(`runtime: failed to create new OS thread \(have (?P<have>\d{1,9}) already; errno=(?P<errno>\d{1,4})\)`)},
	// runtime/cgo/gcc_libinit.c and gcc_linux*.c
	{CgoThread, regexp.MustCompile(`(?:runtime/cgo: )?pthread_create failed: (?P<reason>[^\r\n]{1,100})`)},
	{TooManyThreads, regexp.MustCompile(`runtime: program exceeds (?P<have>\d{1,9})-thread limit`)},
	{LockedMemory, regexp.MustCompile(`runtime: mmap: too much locked memory`)},
	{Denied, regexp.MustCompile(`runtime: mmap: access denied`)},
	{Memory, regexp.MustCompile(`runtime: out of memory: cannot allocate \d{1,20}-byte block \(\d{1,20} in use\)`)},
	{Memory, regexp.MustCompile(`fatal error: (?:runtime: )?(?:out of memory|cannot allocate memory|failed to reserve page summary memory|cannot allocate heap metadata)`)},
}
