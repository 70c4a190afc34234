// Package account rebuilds the transcript of stage 0 from the frames it wrote to a
// console. It also diagnoses a kernel whose ABI is not that of the architecture.
package account

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// Stage 0 makes some forty observations. Frames beyond these bounds were never
// written by it.
const (
	maxFrames = 256
	maxBytes  = 256 << 10
)

// Account collects the frames of stage 0 that a console showed. The zero Account is
// empty; it is safe for concurrent use.
type Account struct {
	mu     sync.Mutex
	frames map[uint32][]byte
	bytes  int
	// disputed holds the sequence numbers of frames that came twice with different
	// payloads. Neither counts.
	disputed map[uint32]bool
}

// Frame adds a frame. Stage 0 sends everything twice; one undamaged copy is enough.
func (a *Account) Frame(f wire.Frame) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, twice := a.frames[f.Seq]
	switch {
	case twice && !bytes.Equal(known, f.Payload):
		a.disputed[f.Seq] = true
	case twice || f.Seq >= maxFrames || a.bytes+len(f.Payload) > maxBytes:
	default:
		if a.frames == nil {
			a.frames, a.disputed = map[uint32][]byte{}, map[uint32]bool{}
		}
		a.frames[f.Seq] = bytes.Clone(f.Payload)
		a.bytes += len(f.Payload)
	}
}

// Agentless reports whether a frame of stage 0 is its word that the agent did not start. It
// has sent everything else twice by then.
func Agentless(f wire.Frame) bool {
	var r wire.Record
	return json.Unmarshal(f.Payload, &r) == nil && r.Observation != nil && r.Observation.Step == stage0.ExecveAgent
}

// Transcript returns what stage 0 observed, and false if no frame of it arrived. A
// step without an intact frame is left out and counted in Dropped. Without the last
// frame nobody knows how stage 0 ended, so the exit code is -1.
func (a *Account) Transcript(table abi.Table) (wire.Transcript, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := wire.Transcript{Probe: stage0.Probe, Observations: []wire.Observation{},
		Exit: wire.Exit{Code: -1, Stderr: "stage 0 never said that it came to its end"}}
	if len(a.frames) == 0 {
		return t, false
	}
	order := slices.Sorted(maps.Keys(a.frames))
	dropped := int(order[len(order)-1]) + 1 - len(order)
	steps := map[string]bool{}
	for _, seq := range order {
		var r wire.Record
		if a.disputed[seq] || json.Unmarshal(a.frames[seq], &r) != nil {
			dropped++
			continue
		}
		switch {
		case r.Kind == wire.KindDone && r.Exit != nil:
			t.Exit = *r.Exit
		case r.Kind == wire.KindObservation && r.Observation != nil && !steps[r.Observation.Step]:
			o := *r.Observation
			steps[o.Step] = true
			if o.Errno != 0 { // stage 0 knows numbers only
				o.Error = table.ErrnoName(o.Errno)
			}
			t.Observations = append(t.Observations, o)
		default:
			dropped++
		}
	}
	t.Exit.Dropped = dropped
	return t, true
}

// seen maps a step to its observation.
type seen map[string]wire.Observation

// works reports whether the step's call succeeded. refused reports whether it
// failed with errno. Both are false for a step that was not observed.
func (s seen) works(step string) bool {
	o, there := s[step]
	return there && o.Errno == 0
}

func (s seen) refused(step string, errno int) bool {
	o, there := s[step]
	return there && o.Errno == errno
}

// Diagnose returns one finding for each way in which the kernel's ABI differs from
// the architecture's. An agent that could not be started is a finding too.
func Diagnose(t wire.Transcript, table abi.Table) []string {
	s := seen{}
	for _, o := range t.Observations {
		s[o.Step] = o
	}
	var findings []string
	say := func(format string, args ...any) { findings = append(findings, fmt.Sprintf(format, args...)) }
	own := table.Map.Anonymous
	if _, asked := s[stage0.Map(own)]; asked && !s.works(stage0.Map(own)) {
		for _, other := range stage0.Anonymous() {
			if s.works(stage0.Map(other)) {
				say("MAP_ANONYMOUS is %#x here, not %#x: this is the ABI of %s, not that of %s; use a kernel or an emulator with the numbers of %[4]s",
					other, own, whose(other), table.GOARCH)
			}
		}
	}
	processes := table.Rlimit.NProc
	for _, other := range stage0.Processes() {
		again := table.Errno("EAGAIN")
		if other != processes && s.works(stage0.Process(processes)) && s.refused(stage0.Process(other), again) {
			say("RLIMIT_NPROC is %d here, not %d as on %s: a program that reads or sets it gets another limit", other, processes, table.GOARCH)
		}
	}
	pipe := table.Open.CloExec | table.Open.NonBlock
	for _, other := range stage0.PipeFlags() {
		if other != pipe && s.refused(stage0.Pipe(pipe), table.Errno("EINVAL")) && s[stage0.Pipe(other)].Ret == "0x0" {
			say("O_CLOEXEC|O_NONBLOCK is %#x here, not %#x as on %s: pipe2 fails, and a Go program that needs its network poller ends with \"runtime: pipe failed with %d\"",
				other, pipe, table.GOARCH, table.Errno("EINVAL"))
		}
	}
	if o, there := s[stage0.Unknown]; there && o.Errno != table.Errno("ENOSYS") {
		say("an unknown system call fails with error %d here, and ENOSYS of %s is %d: errors have the numbers of another ABI", o.Errno, table.GOARCH, table.Errno("ENOSYS"))
	}
	bytes := table.Signal.Max / 8
	for _, other := range stage0.SignalSets() {
		if other != bytes && s.works(stage0.SignalSet(other)) && !s.works(stage0.SignalSet(bytes)) {
			say("a signal set has %d signals here, and %d on %s%s", 8*other, 8*bytes, table.GOARCH, oldWorld(s))
		}
	}
	if o, there := s[stage0.ExecveAgent]; there {
		say("%s cannot be started: %s (%d); the guest's programs are missing, or built for another machine", stage0.Agent, o.Error, o.Errno)
	}
	return findings
}

// oldWorld returns more evidence of an old-world LoongArch kernel, from before the
// port was merged upstream. It returns "" if there is none.
func oldWorld(s seen) string {
	if !s.works(stage0.OldLimits) {
		return ""
	}
	return fmt.Sprintf(", and there is a getrlimit with number %d: this is the old world of LoongArch (ABI 1.0), where no upstream Go program starts; "+
		"build the guest's programs with the vendor's Go for ABI 1.0", stage0.GenericGetrlimit)
}

// whose returns the architectures that use this number for MAP_ANONYMOUS.
func whose(anonymous uint64) string {
	var names []string
	for _, t := range abi.All() {
		if t.Map.Anonymous == anonymous {
			names = append(names, t.GOARCH)
		}
	}
	if len(names) > 3 {
		return "asm-generic (" + names[0] + " and others)"
	}
	return strings.Join(names, " and ")
}
