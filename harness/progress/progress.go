package progress

import "strings"

// Stage is a step of the work on a cell, or on a file that cells share.
type Stage string

// Stages, in the order in which a cell goes through them.
const (
	Resolve  Stage = "resolve"  // reading package indexes
	Download Stage = "download" // fetching from a mirror; Done and Total count bytes
	Unpack   Stage = "unpack"   // decompressing or unpacking
	Build    Stage = "build"    // compiling guest programs
	Boot     Stage = "boot"     // QEMU started, waiting for the agent
	Probe    Stage = "probe"    // a probe is running; Done and Total count probes
	Finished Stage = "finished" // the cell is done; What is its verdict, Err is nil when it went well
	Whole    Stage = "run"      // how far the run is; Done and Total count cells, What says how long the rest takes
	Warning  Stage = "warning"  // something the user must know; nothing failed
)

// Event is one thing that happened.
type Event struct {
	Cell  string // the cell's name, or "" for files that cells share
	Stage Stage
	What  string // the package, probe or file concerned
	Done  int64  // bytes for Download, probes for Probe
	Total int64  // 0 when unknown
	End   bool   // the last event of this Stage and What
	Err   error  // set only with End
	// Left is how many seconds the rest of the run takes, for Whole; 0 when unknown.
	Left float64
}

// Sink receives events. It must be safe for concurrent use and must not block.
type Sink func(Event)

// Brief returns the first line of an error, for a place that has room for one. The others
// are the end of a console, or lists; reports have them.
func Brief(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

// Discard ignores every event.
func Discard(Event) {}
