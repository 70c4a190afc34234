package wire

import (
	"bufio"
	"encoding/json"
	"io"
)

// ReadObservations passes on the observations in r's lines, at most `most` of them.
// lost counts lines that are no observations or longer than limit bytes, and an end
// that could not be read.
func ReadObservations(r io.Reader, limit, most int, observe func(Observation)) (lost int) {
	lines := bufio.NewReaderSize(r, limit)
	for n := 0; ; {
		line, err := lines.ReadSlice('\n')
		long := err == bufio.ErrBufferFull
		for err == bufio.ErrBufferFull {
			_, err = lines.ReadSlice('\n')
		}
		var o Observation
		switch {
		case len(line) == 0: // nothing came before the end
		case long || n == most || json.Unmarshal(line, &o) != nil || o.Step == "":
			lost++
		default:
			n++
			observe(o)
		}
		if err == io.EOF {
			return lost
		}
		if err != nil { // another process holds the pipe and may write more
			return lost + 1
		}
	}
}
