package target

import (
	"bytes"
	"io"
	"regexp"
	"sync"
)

// dialogue is a console that is listened to for words, beside whoever takes its
// bytes.
type dialogue struct {
	news chan struct{} // told when there is something new, one place

	mu   sync.Mutex
	sink io.Writer
	text []byte // what was said since the last match
	kill func() // ends whoever talks, nil while nobody does
	mark []byte // what closes seen, once it is said
	seen chan struct{}
}

// until returns a channel that is closed when the mark is said. One is waited for at
// a time.
func (d *dialogue) until(mark string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark, d.seen = []byte(mark), make(chan struct{})
	return d.seen
}

// owned says how to end whoever talks.
func (d *dialogue) owned(kill func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kill = kill
}

// end ends whoever talks.
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
	return d.sink.Write(p)
}

// to gives what comes from now on to somebody else.
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

// find looks for the patterns in what was said, and returns the one that comes first
// with the text before it, its match and its groups; nil for none. What was said up
// to its end is dropped.
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
		if at[i] >= 0 { // else it is in another branch of the pattern
			group = string(d.text[at[i]:at[i+1]])
		}
		found = append(found, group)
	}
	d.text = append(d.text[:0], d.text[at[1]:]...)
	return which, found
}
