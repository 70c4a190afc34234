package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/progress"
)

func TestEveryEventIsALine(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.now = func() time.Time { return time.Unix(1e9, 0) }
	for _, e := range []progress.Event{
		{Stage: progress.Download, What: "linux-image", Done: 5, Total: 70},
		{Cell: "a", Stage: progress.Probe, What: "facts", Done: 1, Total: 3},
		{Cell: "a", Stage: progress.Finished, What: "incomplete", End: true, Err: errors.New("panic: it died\n  <console> \x1b[2J")},
		{Stage: progress.Whole, Done: 1, Total: 2, What: "about 3 min left", Left: 171.5},
	} {
		w.Sink(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Sink(progress.Event{Stage: progress.Boot}) // too late, and no panic
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("a terminal that shows this obeys a guest:\n%s", out.String())
	}
	at := time.Unix(1e9, 0).UTC()
	want := []Line{
		{Schema: "1", Sequence: 1, Time: at, Stage: "download", What: "linux-image", Done: 5, Total: 70, Unit: "bytes"},
		{Schema: "1", Sequence: 2, Time: at, Stage: "probe", Cell: "a", What: "facts", Done: 1, Total: 3, Unit: "probes"},
		{Schema: "1", Sequence: 3, Time: at, Stage: "finished", Cell: "a", What: "incomplete", End: true, Error: "panic: it died\n  <console> \x1b[2J"},
		{Schema: "1", Sequence: 4, Time: at, Stage: "run", What: "about 3 min left", Done: 1, Total: 2, Unit: "cells", SecondsLeft: 171.5},
	}
	var got []Line
	for line := range strings.Lines(out.String()) {
		var l Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		got = append(got, l)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestAReaderThatIsGoneIsReported fails if events are lost in silence.
func TestAReaderThatIsGoneIsReported(t *testing.T) {
	w := NewWriter(broken{})
	w.Sink(progress.Event{Stage: progress.Boot})
	w.Sink(progress.Event{Stage: progress.Boot})
	if err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// TestAReaderThatSleepsStopsNothing fails if a run waits for the reader of its events.
func TestAReaderThatSleepsStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pipe := io.Pipe()
		w := NewWriter(pipe)
		for range held + 10 {
			w.Sink(progress.Event{Stage: progress.Boot})
		}
		if err := w.Close(); err == nil || !strings.Contains(err.Error(), "nobody reads them") {
			t.Error(err)
		}
		r.Close() // lets the writer go
	})
}
