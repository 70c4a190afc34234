// Package display shows a run as it happens: live rows on a terminal, plain lines elsewhere.
package display

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	gopretty "github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/progress"
)

// Display shows a run as it happens.
type Display struct {
	Sink progress.Sink
	// Close shows the last state. Nothing may be sent after it.
	Close func()
}

// Talk says how much of a run is shown.
type Talk int

const (
	Normal  Talk = iota // live rows on a terminal, plain lines elsewhere
	Quiet               // warnings alone
	Verbose             // plain lines everywhere, with every line of an error
)

// New returns live rows for a terminal, and plain lines for anything else.
func New(w *os.File, talk Talk) Display {
	switch talk {
	case Quiet:
		next := shown(newPlain(w).sink)
		return Display{Close: func() {}, Sink: func(e progress.Event) {
			if e.Stage == progress.Warning {
				next(e)
			}
		}}
	case Verbose:
		p := newPlain(w)
		p.whole = true
		return Display{Sink: shown(p.sink), Close: func() {}}
	}
	size, err := unix.IoctlGetWinsize(int(w.Fd()), unix.TIOCGWINSZ) // fails for all but terminals
	if err != nil || os.Getenv("CI") != "" || os.Getenv("TERM") == "dumb" {
		return Display{Sink: shown(newPlain(w).sink), Close: func() {}}
	}
	if os.Getenv("NO_COLOR") != "" {
		text.DisableColors()
	}
	l := newLive(w, int(size.Col))
	return Display{Sink: shown(l.sink), Close: l.close}
}

// shown returns a sink that gets events which a terminal can show: their words are those of
// mirrors, guests and targets, too.
func shown(next progress.Sink) progress.Sink {
	return func(e progress.Event) {
		e.Cell, e.What = foreign.Text(e.Cell), foreign.Text(e.What)
		if e.Err != nil {
			e.Err = errors.New(foreign.Lines(e.Err.Error()))
		}
		next(e)
	}
}

// live shows a row per cell and per shared artefact that is being made.
type live struct {
	writer gopretty.Writer
	done   chan struct{}

	mu     sync.Mutex
	rows   map[string]*gopretty.Tracker
	begun  map[string]time.Time
	probes map[string][]string // that run, by row
}

// units says in what a row counts.
func units(e progress.Event) gopretty.Units {
	switch {
	case e.Stage == progress.Download:
		return gopretty.UnitsBytes
	case e.Stage == progress.Whole:
		return gopretty.Units{Formatter: func(n int64) string { return number(n, "cell") }}
	case e.Cell != "":
		return gopretty.Units{Formatter: func(n int64) string { return number(n, "probe") }}
	}
	return gopretty.Units{Formatter: func(n int64) string {
		if n > 0 {
			return "ready"
		}
		return "working"
	}}
}

// number returns how many things there are: "1 cell", "2 cells".
func number(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// What a row has beside its message: "║bar║ [0 probes in 20s] ... " while it
// works, " ... done! [9 probes in 19.5s]" when it is done.
const (
	longBar, shortBar = 20, 8
	doneRoom          = 32
	longestMessage    = 64 // the longest cell's name and what it does
	unknownWidth      = 80
)

// newLive draws on a terminal of so many columns. No row may be wider: the
// library goes up a line for each row, and a wrapped row is two.
func newLive(w io.Writer, columns int) *live {
	if columns == 0 {
		columns = unknownWidth
	}
	bar := shortBar
	if columns >= longBar+longestMessage+doneRoom {
		bar = longBar
	}
	pw := gopretty.NewWriter()
	pw.SetTerminalWidth(columns - 1) // the last column wraps on some terminals
	pw.SetOutputWriter(w)
	pw.SetUpdateFrequency(frame)
	pw.SetMessageLength(max(shortBar, min(longestMessage, columns-doneRoom)))
	pw.SetTrackerLength(bar)
	pw.SetAutoStop(false)
	pw.SetStyle(gopretty.StyleBlocks)
	pw.Style().Visibility.ETA = false
	pw.Style().Visibility.Percentage = false
	pw.Style().Options.TimeInProgressPrecision = time.Second
	pw.Style().Options.TimeDonePrecision = 100 * time.Millisecond
	l := &live{writer: pw, done: make(chan struct{}), rows: map[string]*gopretty.Tracker{}, begun: map[string]time.Time{}, probes: map[string][]string{}}
	go func() {
		pw.Render()
		close(l.done)
	}()
	return l
}

// close shows the last state and ends the rows. The library forgets a Stop
// that comes before its first frame, and says nothing when that is drawn: so
// Stop is said until it is heard.
func (l *live) close() {
	again := time.NewTicker(frame)
	defer again.Stop()
	for {
		l.writer.Stop()
		select {
		case <-l.done:
			return
		case <-again.C:
		}
	}
}

// frame is how often the rows are drawn.
const frame = 150 * time.Millisecond

// running is the probes of a cell that run after an event, or the one that it was
// the end of.
func (l *live) running(key string, e progress.Event) string {
	l.probes[key] = slices.DeleteFunc(l.probes[key], func(probe string) bool { return probe == e.What })
	if !e.End {
		l.probes[key] = append(l.probes[key], e.What)
	}
	if len(l.probes[key]) == 0 {
		return e.What
	}
	return strings.Join(l.probes[key], ", ")
}

func (l *live) sink(e progress.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Stage == progress.Warning {
		l.writer.Log("warning: %s", e.What)
		return
	}
	key := e.Cell
	switch {
	case e.Stage == progress.Whole:
		key = string(e.Stage)
	case key == "":
		key = string(e.Stage) + " " + e.What
	}
	row, ok := l.rows[key]
	if !ok {
		row = &gopretty.Tracker{Total: e.Total, Units: units(e), AutoStopDisabled: true}
		l.rows[key], l.begun[key] = row, time.Now()
		l.writer.AppendTracker(row)
	}
	what := e.What
	if e.Stage == progress.Probe {
		what = l.running(key, e)
	}
	message := strings.TrimSpace(string(e.Stage) + " " + what)
	switch {
	case e.Stage == progress.Whole:
		message = whole(e)
	case e.Stage == progress.Finished && what != "":
		message = e.Cell + ": " + what
	case e.Cell != "":
		message = e.Cell + ": " + message
	}
	if e.Stage == progress.Download && e.Done > 0 {
		message += " at " + size(rate(e.Done, time.Since(l.begun[key]))) + "/s"
	}
	row.UpdateMessage(message)
	if e.Total > 0 {
		row.UpdateTotal(e.Total)
	}
	if e.Stage == progress.Download || e.Stage == progress.Whole || e.Stage == progress.Probe && e.End {
		row.SetValue(e.Done)
	}
	// A cell's row ends with the cell; a shared artefact's with its only stage.
	if !e.End || e.Cell != "" && e.Stage != progress.Finished {
		return
	}
	if e.Cell == "" && e.Stage != progress.Download && e.Stage != progress.Whole {
		row.SetValue(1)
	}
	if e.Err != nil {
		row.UpdateMessage(message + ": " + progress.Brief(e.Err))
		row.MarkAsErrored()
		return
	}
	row.MarkAsDone()
}
