package aftermath

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/poc/abi"
)

// Bounds of a log. It may come from anybody.
const (
	maxLog  = 256 << 20 // bytes that are read
	maxLine = 4 << 10   // bytes of a line that are looked at
	maxText = 240       // bytes of a line that are shown
	// maxWords bounds how many are kept. A newer one takes the place of the oldest of its
	// kind.
	maxWords = 32
)

// Log is what a log tells.
type Log struct {
	Words []Word `json:"words"`
	Lines int    `json:"lines"`
	// Cut reports that the log is longer than what is read of one, or tells of more
	// kinds of refusals than are kept.
	Cut bool `json:"cut,omitempty"`
}

// Read reads a log. table gives the meaning of error numbers. It fails when the log
// cannot be read.
func Read(from io.Reader, table abi.Table) (Log, error) {
	var log Log
	all := phrases()
	limited := &io.LimitedReader{R: from, N: maxLog}
	in := bufio.NewReaderSize(limited, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 {
			log.Lines++
			log.hear(all, line, table)
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line
			_, err = in.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			log.Cut = log.Cut || limited.N == 0
			return log, nil
		}
		if err != nil {
			return log, fmt.Errorf("read the log: %w", err)
		}
	}
}

// hear keeps what a line tells.
func (l *Log) hear(all []phrase, line []byte, table abi.Table) {
	w, ok := recognised(all, line, table)
	if !ok {
		return
	}
	w.Name, w.Group, w.Errno = clean([]byte(w.Name), maxText), clean([]byte(w.Group), maxText), clean([]byte(w.Errno), 16)
	if i := slices.IndexFunc(l.Words, w.same); i >= 0 {
		l.Words[i].Times++
		return
	}
	if len(l.Words) == maxWords {
		l.Cut = true
		oldest := slices.IndexFunc(l.Words, func(old Word) bool { return old.Kind == w.Kind })
		if oldest < 0 {
			return
		}
		l.Words = slices.Delete(l.Words, oldest, oldest+1)
	}
	w.Line, w.Times = l.Lines, 1
	w.Text = clean(line, maxText)
	l.Words = append(l.Words, w)
}

// clean returns the beginning of a text without what must not be shown.
func clean(text []byte, most int) string {
	if len(text) > 0 && text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	cut := ""
	if len(text) > most {
		text, cut = text[:most], "…"
	}
	return foreign.Text(string(text)) + cut
}
