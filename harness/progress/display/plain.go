package display

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mapstack/conformance/harness/progress"
)

// plain shows one line per event, for logs.
type plain struct {
	mu      sync.Mutex
	w       io.Writer
	now     func() time.Time
	started map[string]time.Time
	cells   int64 // that have ended, of the last line about the whole run; -1 before it
	whole   bool  // show every line of an error, and not the first alone
}

func newPlain(w io.Writer) *plain {
	return &plain{w: w, now: time.Now, started: map[string]time.Time{}, cells: -1}
}

// moved reports whether another cell has ended. Only then a log needs a line about the run.
func (p *plain) moved(e progress.Event) bool {
	if e.Done == p.cells {
		return false
	}
	p.cells = e.Done
	return true
}

func (p *plain) sink(e progress.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if e.Stage == progress.Whole && !p.moved(e) {
		return
	}
	key := string(e.Stage) + " " + e.Cell + " " + e.What
	begun, known := p.started[key]
	if !known {
		begun = now
		p.started[key] = now
	}
	if e.End {
		delete(p.started, key)
	} else if known {
		return // a line when something begins and one when it ends are enough
	}
	subject := e.Cell
	if subject == "" {
		subject = "-"
	}
	fmt.Fprintf(p.w, "%s  %-32s %s\n", now.UTC().Format("15:04:05"), subject, describe(e, now.Sub(begun)))
	if _, rest, more := strings.Cut(lines(e.Err), "\n"); p.whole && more {
		fmt.Fprintln(p.w, "    "+strings.ReplaceAll(rest, "\n", "\n    "))
	}
}

// lines returns the text of an error; "" for none.
func lines(err error) string {
	if err == nil {
		return ""
	}
	return strings.TrimSpace(err.Error())
}

// describe says in words what an event means.
func describe(e progress.Event, since time.Duration) string {
	if e.Stage == progress.Whole {
		return whole(e)
	}
	text := string(e.Stage)
	if e.What != "" {
		text += " " + e.What
	}
	if e.Stage == progress.Probe {
		text += fmt.Sprintf(" (%d of %d)", e.Done, e.Total)
	}
	if e.Stage == progress.Download && e.Total > 0 && !e.End {
		text += " (" + size(e.Total) + ")"
	}
	switch {
	case !e.End:
		return text
	case e.Stage == progress.Finished && e.What != "":
		text = string(e.Stage) + ": " + e.What
		if e.Err != nil {
			text += ": " + progress.Brief(e.Err)
		}
		return text
	case e.Err != nil:
		return text + " failed: " + progress.Brief(e.Err)
	case e.Stage == progress.Download:
		return fmt.Sprintf("%s: %s in %.1fs (%s/s)", text, size(e.Done), since.Seconds(), size(rate(e.Done, since)))
	case e.Stage == progress.Warning, e.Stage == progress.Finished:
		return text
	}
	return fmt.Sprintf("%s: done in %.1fs", text, since.Seconds())
}

// whole says how far a run is.
func whole(e progress.Event) string {
	text := fmt.Sprintf("%d of %d cells done", e.Done, e.Total)
	if e.What != "" {
		text += ", " + e.What
	}
	return text
}

func rate(bytes int64, d time.Duration) int64 {
	if d <= 0 {
		return bytes
	}
	return int64(float64(bytes) / d.Seconds())
}

func size(bytes int64) string {
	const mb = 1 << 20
	if bytes >= mb {
		return fmt.Sprintf("%.1f MiB", float64(bytes)/mb)
	}
	return fmt.Sprintf("%.1f KiB", float64(bytes)/1024)
}
