package foreign

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Lines returns text of several lines for a terminal, a report or a log. Ends of lines and
// tabs stay. Every other character that is not seen is written as in JSON, so that a JSON
// text stays one. Bytes that are no character become U+FFFD.
func Lines(s string) string { return string(JSON([]byte(strings.ToValidUTF8(s, "\ufffd")))) }

// Writer returns a writer that passes Lines of what is written on to w. Where a write ends
// within a character, the beginning waits for the rest.
func Writer(w io.Writer) io.Writer { return &writer{w: w} }

type writer struct {
	w    io.Writer
	held []byte
}

func (w *writer) Write(p []byte) (int, error) {
	text := append(w.held, p...)
	w.held = nil
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				w.held = append(w.held, end...)
				text = text[:len(text)-n]
			}
			break
		}
	}
	if _, err := io.WriteString(w.w, Lines(string(text))); err != nil {
		return 0, err
	}
	return len(p), nil
}
