package account

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/mapstack/conformance/poc/wire"
)

// Read takes the frames of stage 0 among the lines of r.
func Read(r io.Reader) (*Account, error) {
	var a Account
	lines := bufio.NewReaderSize(r, 2*wire.MaxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if f, bad := wire.Decode(wire.EarlyPrefix, line); bad == nil {
			a.Frame(f)
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull): // the rest of a long line holds no frame
		case errors.Is(err, io.EOF):
			return &a, nil
		default:
			return nil, fmt.Errorf("read what stage 0 wrote: %w", err)
		}
	}
}
