// Package console reads what a guest writes to its console: it finds frames
// among printk's lines, recognises a dying kernel, and keeps the log bounded.
package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode"

	"github.com/mapstack/conformance/poc/wire"
)

// maxLine bounds a line: a frame with as much printk before it. What is longer
// is cut there.
const maxLine = 2 * wire.MaxLine

// maxLog bounds the log kept of one guest, in bytes. A guest that chats for
// ever fills no disk.
const maxLog = 16 << 20

// tailLines and tailBytes bound what an error message quotes.
const (
	tailLines = 20
	tailBytes = 4 << 10
)

// Stream takes the console's bytes as they come. It is an io.Writer that never
// fails, so that it can stand behind an io.Copy of a guest's output.
type Stream struct {
	frame   func(wire.Frame)
	damaged func()
	crashed func(Crash)
	early   func(wire.Frame) // nil when nobody listens for stage 0

	mu     sync.Mutex
	log    io.Writer
	logged int
	logErr error
	line   []byte
	tail   []string
	crash  Crash
}

// NewStream returns a stream that writes the raw log to log and calls frame
// for each whole frame, damaged for each that did not arrive whole, and crashed
// at the first sign of the kernel's death. None of them may block.
func NewStream(log io.Writer, frame func(wire.Frame), damaged func(), crashed func(Crash)) *Stream {
	return &Stream{log: log, frame: frame, damaged: damaged, crashed: crashed}
}

// HearEarly calls frame for each whole frame of stage 0 as well. It is called
// before the first Write, and frame may not block.
func (s *Stream) HearEarly(frame func(wire.Frame)) { s.early = frame }

// Write takes more of the console's bytes.
func (s *Stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(p)
	n := len(p)
	for {
		nl := bytes.IndexByte(p, '\n')
		if nl < 0 {
			break
		}
		s.add(p[:nl+1])
		s.endLine()
		p = p[nl+1:]
	}
	s.add(p)
	return n, nil
}

// add appends to the current line, which ends by force at maxLine.
func (s *Stream) add(p []byte) {
	for len(s.line)+len(p) > maxLine {
		room := maxLine - len(s.line)
		s.line = append(s.line, p[:room]...)
		p = p[room:]
		s.endLine()
	}
	s.line = append(s.line, p...)
}

func (s *Stream) endLine() {
	line := s.line
	s.line = s.line[:0]
	f, err := wire.Decode(wire.GuestPrefix, line)
	switch {
	case err == nil:
		s.frame(f)
		return
	case errors.Is(err, wire.ErrDamaged):
		s.damaged()
	case s.early != nil:
		// One that did not arrive whole is said once more, unasked.
		if f, err := wire.Decode(wire.EarlyPrefix, line); err == nil {
			s.early(f)
			return
		}
	}
	text := printable(line)
	if text == "" {
		return
	}
	s.tail = append(s.tail, text)
	if len(s.tail) > tailLines {
		s.tail = s.tail[1:]
	}
	if s.crash.Kind == "" {
		if s.crash = match(text); s.crash.Kind != "" {
			s.crashed(s.crash)
		}
	}
}

func (s *Stream) keep(p []byte) {
	room := maxLog - s.logged
	if room <= 0 || s.logErr != nil {
		return
	}
	s.logged += len(p)
	if len(p) > room {
		p = p[:room]
	}
	if _, s.logErr = s.log.Write(p); s.logErr == nil && s.logged >= maxLog {
		_, s.logErr = fmt.Fprintf(s.log, "\n[mapstack: the console log ends here, at %d MiB]\n", maxLog>>20)
	}
}

// Err says why the log is incomplete, nil if it is not.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logErr == nil {
		return nil
	}
	return fmt.Errorf("keep the console's log: %w", s.logErr)
}

// Tail returns the last lines that held no frame, for an error message.
func (s *Stream) Tail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.tail
	if rest := printable(s.line); rest != "" {
		lines = append(append([]string{}, lines...), rest)
	}
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString("    " + l + "\n")
	}
	text := b.String()
	if len(text) > tailBytes {
		text = text[len(text)-tailBytes:]
	}
	return text
}

// Crash returns the first sign of the kernel's death, its Kind empty if there
// was none.
func (s *Stream) Crash() Crash {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crash
}

// printable drops what could disturb a terminal or a report: control characters,
// those that reorder or hide text, and broken UTF-8.
func printable(line []byte) string {
	return string(bytes.TrimSpace(bytes.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, line)))
}
