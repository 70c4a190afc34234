package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/progress/events"
)

// tell returns a sink that also writes the events of a run where --json-events says. The
// returned function must be called when the last event was sent.
func (o *onward) tell(next progress.Sink) (sink progress.Sink, done func(), err error) {
	if o.events == "" {
		return next, func() {}, nil
	}
	file, err := eventsFile(o.events)
	if err != nil {
		return nil, nil, err
	}
	w := events.NewWriter(file)
	sink = func(e progress.Event) {
		next(e)
		w.Sink(e)
	}
	return sink, func() {
		err := w.Close()
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil { // the run is as good without its listener
			fmt.Fprintln(foreign.Writer(os.Stderr), "mapstack: warning: --json-events:", err)
		}
	}, nil
}

// eventsFile opens a file by its name, or by the number of a descriptor that the caller opened.
// Repeats write to the end of the same file.
func eventsFile(name string) (*os.File, error) {
	fd, err := strconv.ParseUint(name, 10, 31)
	if err != nil {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return nil, fmt.Errorf("write --json-events: %w", err)
		}
		return file, nil
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	switch mode := flags & unix.O_ACCMODE; {
	case fd < 3:
		return nil, fmt.Errorf("--json-events %d: the report and the progress for people go to the descriptors 1 and 2; give another one, as in --json-events 3 3>FILE", fd)
	case err != nil || mode == unix.O_RDONLY:
		return nil, fmt.Errorf("--json-events %d: nothing can be written to this file descriptor; open it, as in --json-events %d %d>FILE, or name a file", fd, fd, fd)
	}
	// A copy is closed at the end, and not what the caller opened.
	again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("write --json-events to the file descriptor %d: %w", fd, err)
	}
	return os.NewFile(uintptr(again), name), nil
}
