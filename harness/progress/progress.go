// Package progress carries what the harness is doing to whoever shows it.
package progress

// Stage is a step in the life of a cell or of a shared artefact.
type Stage string

const (
	Resolve  Stage = "resolve"  // reading package indexes
	Download Stage = "download" // bytes from a mirror; Done and Total count them
	Unpack   Stage = "unpack"   // decompressing or unpacking
	Build    Stage = "build"    // compiling guest programs
	Boot     Stage = "boot"     // QEMU started, waiting for the agent
	Probe    Stage = "probe"    // a probe is running; Done and Total count probes
	Finished Stage = "finished" // the cell is over; Err says how, nil for well
	Warning  Stage = "warning"  // something a reader must know; nothing failed
)

// Event is one thing that happened.
type Event struct {
	Cell  string // cell name, or "" for artefacts that cells share
	Stage Stage
	What  string // the package, probe or file concerned
	Done  int64  // bytes for Download, probes for Probe
	Total int64  // 0 when unknown
	End   bool   // the last event of this Stage and What
	Err   error  // set only with End
}

// Sink receives events. It must be safe for concurrent use and must not block.
type Sink func(Event)

// Discard ignores every event.
func Discard(Event) {}
