package target

import "bytes"

// veil replaces a word in a stream by stars. Where a piece ends with the beginning of the
// word, that end waits for the next piece.
type veil struct {
	word []byte // nothing is replaced if it is empty
	held []byte
}

// pass returns what can be shown of the stream after another piece.
func (v *veil) pass(piece []byte) []byte {
	text := append(v.held, piece...)
	v.held = nil
	if len(v.word) == 0 {
		return text
	}
	text = bytes.ReplaceAll(text, v.word, []byte("***"))
	for n := min(len(v.word)-1, len(text)); n > 0; n-- {
		if bytes.HasSuffix(text, v.word[:n]) {
			v.held = bytes.Clone(text[len(text)-n:])
			return text[:len(text)-n]
		}
	}
	return text
}
