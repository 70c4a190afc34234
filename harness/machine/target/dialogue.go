package target

import (
	"bytes"
	"io"
	"regexp"
	"sync"
)

// dialogue listens to a console for words, and passes its bytes on to a sink.
type dialogue struct {
	news chan struct{} // holds one token after new text

	mu   sync.Mutex
	sink io.Writer
	text []byte // what was said since the last match
	kill func() // ends the machine that talks; nil if there is none
	mark []byte // seen is closed once this is said
	seen chan struct{}
	veil veil // over the password, while it may be shown
}

// hide replaces a word in everything that is said from now on, until it is called with an
// empty one.
func (d *dialogue) hide(word string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.veil.word = []byte(word)
}

// until returns a channel that is closed when the mark is said. Only one mark can be waited
// for at a time.
func (d *dialogue) until(mark string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark, d.seen = []byte(mark), make(chan struct{})
	return d.seen
}

// owned sets how to end the machine that talks.
func (d *dialogue) owned(kill func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill = kill
}

// end ends the machine that talks.
func (d *dialogue) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kill != nil {
		d.kill()
	}
}

// maxHeard bounds what is kept of a console, in bytes.
const maxHeard = 256 << 10

func (d *dialogue) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	length := len(p)
	p = d.veil.pass(p)
	d.text = append(d.text, p...)
	if d.seen != nil && bytes.Contains(d.text[max(0, len(d.text)-len(p)-len(d.mark)):], d.mark) {
		close(d.seen)
		d.seen = nil
	}
	if over := len(d.text) - maxHeard; over > 0 {
		d.text = append(d.text[:0], d.text[over:]...)
	}
	select {
	case d.news <- struct{}{}:
	default:
	}
	if _, err := d.sink.Write(p); err != nil {
		return 0, err
	}
	return length, nil
}

// to passes everything from now on to another sink.
func (d *dialogue) to(sink io.Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sink = sink
}

// forget drops what was said.
func (d *dialogue) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text = d.text[:0]
}

// find searches what was said for the patterns. It returns the index of the one that matches
// first, and the text before the match, the match and its groups; nil if none matches. It
// drops everything up to the end of the match.
func (d *dialogue) find(patterns []*regexp.Regexp) (which int, found []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var at []int
	for i, p := range patterns {
		if m := p.FindSubmatchIndex(d.text); m != nil && (at == nil || m[0] < at[0]) {
			which, at = i, m
		}
	}
	if at == nil {
		return 0, nil
	}
	found = append(found, string(d.text[:at[0]]))
	for i := 0; i < len(at); i += 2 {
		group := ""
		if at[i] >= 0 { // negative for a group in another branch of the pattern
			group = string(d.text[at[i]:at[i+1]])
		}
		found = append(found, group)
	}
	d.text = append(d.text[:0], d.text[at[1]:]...)
	return which, found
}
