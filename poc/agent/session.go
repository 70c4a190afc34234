package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// session is one conversation with the host over the console.
type session struct {
	out    io.Writer
	probes []string
	place  place

	next uint32   // sequence number of the next frame
	run  int      // the run whose frames kept holds; 0 for the hello
	kept [][]byte // every frame of that run, for OpResend
}

func (s *session) hello(arch, goVersion, release string, notes []string) error {
	return s.send(wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{
		Protocol: wire.Protocol, Arch: arch, Go: goVersion, Release: release,
		Probes: s.probes, Notes: notes,
	}})
}

// send frames a record, keeps it for a resend, and writes it.
func (s *session) send(r wire.Record) error {
	line, err := wire.EncodeJSON(wire.GuestPrefix, s.next, r)
	if err != nil {
		return err
	}
	s.next++
	s.kept = append(s.kept, line)
	_, err = s.out.Write(line)
	return err
}

// queued bounds the requests that wait for the end of a run. The host repeats one
// that is not answered.
const queued = 4

// answer serves requests until the console ends.
func (s *session) answer(in io.Reader) error {
	requests, ended := make(chan wire.Request, queued), make(chan error, 1)
	go func() {
		ended <- receive(in, requests)
		close(requests)
	}()
	for req := range requests {
		if err := s.handle(req); err != nil {
			return err
		}
	}
	return <-ended
}

// receive reads requests until the console ends, also while a probe runs. A host
// that asks during a run has heard nothing for a while. The guest may be asleep
// because it lost a timer, so each request rearms the timers.
func receive(in io.Reader, requests chan<- wire.Request) error {
	r := bufio.NewReaderSize(in, wire.MaxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			continue // no frame is this long; one may follow the newline
		}
		if err != nil {
			return fmt.Errorf("read the console: %w", err)
		}
		frame, err := wire.Decode(wire.HostPrefix, line)
		if err != nil {
			continue // the host repeats a request that is not answered
		}
		var req wire.Request
		if err := json.Unmarshal(frame.Payload, &req); err != nil {
			continue
		}
		rearmTimers()
		select {
		case requests <- req:
		default:
		}
	}
}

func (s *session) handle(req wire.Request) error {
	switch req.Op {
	case wire.OpRun:
		if req.Run == s.run {
			// The answer was lost, not the request. A second run would be reported as
			// the first.
			return s.resend(s.next - uint32(len(s.kept)))
		}
		s.run, s.kept = req.Run, nil
		return s.runProbe(req)
	case wire.OpResend:
		return s.resend(req.From)
	}
	return s.send(wire.Record{Kind: wire.KindRefused, Run: req.Run, Refused: "unknown request " + string(req.Op)})
}

// resend writes every kept frame whose sequence number is at least from.
func (s *session) resend(from uint32) error {
	first := s.next - uint32(len(s.kept))
	if from < first {
		from = first
	}
	for _, line := range s.kept[minInt(int(from-first), len(s.kept)):] {
		if _, err := s.out.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) runProbe(req wire.Request) error {
	known := false
	for _, p := range s.probes {
		known = known || p == req.Probe
	}
	if !known || req.TimeoutMS <= 0 {
		return s.send(wire.Record{Kind: wire.KindRefused, Run: req.Run,
			Refused: fmt.Sprintf("probe %q with a limit of %d ms", req.Probe, req.TimeoutMS)})
	}
	var failed error
	exit := s.place.run(filepath.Join(s.place.probes, req.Probe), req.Args,
		time.Duration(req.TimeoutMS)*time.Millisecond,
		func(o wire.Observation) {
			if failed != nil {
				return
			}
			failed = s.send(wire.Record{Kind: wire.KindObservation, Run: req.Run, Observation: &o})
			if errors.Is(failed, wire.ErrTooLarge) {
				failed = s.send(wire.Record{Kind: wire.KindObservation, Run: req.Run, Observation: &wire.Observation{
					Step: o.Step, Unknown: map[string]string{"observation": failed.Error()}}})
			}
		})
	if failed != nil {
		return failed
	}
	return s.send(wire.Record{Kind: wire.KindDone, Run: req.Run, Exit: &exit})
}

func minInt(a, b int) int {
	if a < b {
		return a
	}
	return b
}
