package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestWhatAProbeSaysIsReadOrCounted fails if a line is lost and not counted.
func TestWhatAProbeSaysIsReadOrCounted(t *testing.T) {
	const limit = 64
	for name, c := range map[string]struct {
		said  string
		end   error
		steps string
		lost  int
	}{
		"nothing":             {"", io.EOF, "", 0},
		"two":                 {"{\"step\":\"a\"}\n{\"step\":\"b\"}\n", io.EOF, "a b", 0},
		"no end of line":      {"{\"step\":\"a\"}", io.EOF, "a", 0},
		"too many":            {strings.Repeat("{\"step\":\"a\"}\n", 5), io.EOF, "a a a", 2},
		"no observations":     {"hello\n\n{\"call\":\"x\"}\n{\"step\":\"a\"}\n", io.EOF, "a", 3},
		"a long line":         {strings.Repeat("x", 3*limit) + "\n{\"step\":\"a\"}\n", io.EOF, "a", 1},
		"a long last line":    {"{\"step\":\"a\"}\n" + strings.Repeat("x", 3*limit), io.EOF, "a", 1},
		"a pipe that is held": {"{\"step\":\"a\"}\n", errors.New("i/o timeout"), "a", 1},
	} {
		var steps []string
		r := io.MultiReader(strings.NewReader(c.said), iotest.ErrReader(c.end))
		lost := ReadObservations(r, limit, 3, func(o Observation) { steps = append(steps, o.Step) })
		if got := strings.Join(steps, " "); got != c.steps || lost != c.lost {
			t.Errorf("%s: steps %q, %d lost; want %q, %d", name, got, lost, c.steps, c.lost)
		}
	}
}
