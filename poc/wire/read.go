package wire

import (
	"bufio"
	"encoding/json"
	"io"
)

// ReadObservations hands over the observations among r's lines, most at the most,
// and counts what is lost: lines that are none or longer than limit bytes, and an
// end that could not be read.
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
		if err != nil { // something else holds the pipe, and may have more to say
			return lost + 1
		}
	}
}
