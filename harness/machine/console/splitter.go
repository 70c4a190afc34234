// Package console reads a guest's console output. It finds frames among printk's
// lines, recognises crashes of the kernel, and keeps a log of bounded size.
package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"github.com/mapstack/conformance/poc/wire"
)

// maxLine bounds a line, in bytes: a frame, and as much text of printk before it.
// Longer lines are cut there.
const maxLine = 2 * wire.MaxLine

// maxLog bounds the log of one guest, in bytes, so that a guest which never stops
// writing cannot fill the disk.
const maxLog = 16 << 20

// tailLines and tailBytes bound the part of a log that an error message quotes.
const (
	tailLines = 20
	tailBytes = 4 << 10
)

// Stream is an io.Writer for the console's bytes. It never fails, since a failed write
// would end the copying of the guest's output.
type Stream struct {
	frame   func(wire.Frame)
	damaged func()
	crashed func(Crash)
	early   func(wire.Frame) // nil if nobody listens to stage 0

	mu     sync.Mutex
	log    io.Writer
	logged int
	logErr error
	line   []byte
	tail   []string
	crash  Crash
	booted bool
}

// NewStream returns a stream that writes the raw log to log. It calls frame for each
// whole frame, damaged for each incomplete one, and crashed at the first crash. None
// of them may block.
func NewStream(log io.Writer, frame func(wire.Frame), damaged func(), crashed func(Crash)) *Stream {
	return &Stream{log: log, frame: frame, damaged: damaged, crashed: crashed}
}

// HearEarly makes the stream call frame for each whole frame of stage 0. It must be
// called before the first Write, and frame must not block.
func (s *Stream) HearEarly(frame func(wire.Frame)) { s.early = frame }

// Write never returns an error. See Err for one of the log.
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

// add appends to the current line and ends it at maxLine.
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
		// An incomplete frame is not reported: stage 0 sends each of them twice.
		if f, err := wire.Decode(wire.EarlyPrefix, line); err == nil {
			s.early(f)
			return
		}
	}
	text := printable(line)
	if text == "" {
		return
	}
	s.booted = s.booted || strings.Contains(text, banner)
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

// Err returns why the log is incomplete, or nil.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logErr == nil {
		return nil
	}
	return fmt.Errorf("keep the console's log: %w", s.logErr)
}

// Log makes the raw log go to another writer from now on. It returns why the former log is
// incomplete, or nil.
func (s *Stream) Log(to io.Writer) error {
	err := s.Err()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.logged, s.logErr = to, 0, nil
	return err
}

// Tail returns the last lines without frames, for an error message. The line of a crash is
// never left out: the stacks behind it do not say what happened.
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
	if s.crash.Kind != "" && !strings.Contains(text, s.crash.Line) {
		line := s.crash.Line
		text = "    " + line[:min(len(line), tailBytes)] + "\n    [...]\n" + text
	}
	return text
}

// banner begins what a kernel prints first (linux_banner in init/version.c).
const banner = "Linux version "

// Booted reports whether a kernel has begun to boot.
func (s *Stream) Booted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.booted
}

// Crash returns the first crash. Its Kind is empty if there was none.
func (s *Stream) Crash() Crash {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crash
}

// printable removes what could disturb a terminal or a report: control characters,
// characters that reorder or hide text, and invalid UTF-8.
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
