// Package events writes the events of a run as lines of JSON, for other programs.
package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/progress"
)

// Schema is the version of the lines. It changes when a field changes its meaning or goes away;
// a new field does not change it.
const Schema = "1"

// Line is one event.
type Line struct {
	Schema string `json:"schema"`
	// Sequence counts the events from 1. A gap means that the reader was too slow for them.
	Sequence int64     `json:"sequence"`
	Time     time.Time `json:"time"`
	Stage    string    `json:"stage"`          // see package progress
	Cell     string    `json:"cell,omitempty"` // empty for what cells share
	What     string    `json:"what,omitempty"`
	// Done and Total count Unit: bytes, probes or cells. Total is 0 while it is not known.
	Done  int64  `json:"done,omitempty"`
	Total int64  `json:"total,omitempty"`
	Unit  string `json:"unit,omitempty"`
	End   bool   `json:"end,omitempty"` // the last event of this stage and what
	Error string `json:"error,omitempty"`
	// SecondsLeft is how long the rest of the run takes; 0 while that is not known.
	SecondsLeft float64 `json:"secondsLeft,omitempty"`
}

// held is how many lines wait for a slow reader. What comes after them is lost.
const held = 1 << 16

// patience is how long Close waits for a reader that does not read.
const patience = 5 * time.Second

// Writer writes events.
type Writer struct {
	now   func() time.Time
	lines chan Line
	done  chan error

	mu       sync.Mutex
	sequence int64
	closed   bool
}

// NewWriter returns a writer of events. The caller must close it.
func NewWriter(w io.Writer) *Writer {
	e := &Writer{now: time.Now, lines: make(chan Line, held), done: make(chan error, 1)}
	go func() { e.done <- e.write(w) }()
	return e
}

func (e *Writer) write(w io.Writer) (failed error) {
	for line := range e.lines {
		if failed != nil {
			continue // nobody reads any more
		}
		b, err := json.Marshal(line)
		if err == nil {
			_, err = w.Write(append(foreign.JSON(b), '\n'))
		}
		failed = err
	}
	return failed
}

// Sink takes an event. It does not wait for the reader.
func (e *Writer) Sink(event progress.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.sequence++
	line := Line{Schema: Schema, Sequence: e.sequence, Time: e.now().UTC(), Stage: string(event.Stage), Cell: event.Cell, What: event.What,
		Done: event.Done, Total: event.Total, Unit: unit(event.Stage), End: event.End, SecondsLeft: event.Left}
	if event.Err != nil {
		line.Error = event.Err.Error()
	}
	select {
	case e.lines <- line:
	default:
	}
}

func unit(s progress.Stage) string {
	switch s {
	case progress.Download:
		return "bytes"
	case progress.Probe:
		return "probes"
	case progress.Whole:
		return "cells"
	}
	return ""
}

// Close writes what waits, and returns the first error of writing.
func (e *Writer) Close() error {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		close(e.lines)
	}
	e.mu.Unlock()
	slow := time.NewTimer(patience)
	defer slow.Stop()
	select {
	case err := <-e.done:
		if err != nil {
			return fmt.Errorf("write the events: %w", err)
		}
		return nil
	case <-slow.C:
		return errors.New("write the events: nobody reads them")
	}
}
