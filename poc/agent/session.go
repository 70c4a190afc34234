package agent

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// session is one conversation with the host over the console.
type session struct {
	hello wire.Hello
	place place
	watch *watch
	first state // before the first run; nil in a system that others use

	mu   sync.Mutex
	out  io.Writer
	next uint32   // sequence number of the next frame
	run  int      // the run whose frames kept holds; 0 for the hello
	busy bool     // that run has not ended
	kept [][]byte // every frame of that run, for a host that has lost some
}

// newSession returns a session and describes the agent in its hello.
func newSession(out io.Writer, hello wire.Hello, p place) *session {
	hello.Protocol = wire.Protocol
	return &session{out: out, hello: hello, place: p, watch: newWatch(p.files())}
}

// greet begins the conversation, or begins it again.
func (s *session) greet() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.greetLocked()
}

func (s *session) greetLocked() error {
	s.next, s.run, s.kept = 0, 0, nil
	return s.sendLocked(wire.Record{Kind: wire.KindHello, Hello: &s.hello})
}

// sendLocked sends a record.
func (s *session) sendLocked(r wire.Record) error {
	payload, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.frameLocked(payload)
}

// frame sends a payload.
func (s *session) frame(payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frameLocked(payload)
}

// frameLocked frames a payload, keeps the frame for a host that loses it, and writes it.
func (s *session) frameLocked(payload []byte) error {
	line, err := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: s.next, Payload: payload})
	if err != nil {
		return err
	}
	s.next++
	s.kept = append(s.kept, line)
	_, err = s.out.Write(line)
	return err
}

// answer serves requests until the console ends.
func (s *session) answer(in io.Reader) error {
	// One fits, because nothing is accepted before the run that is waited for has ended.
	runs, ended := make(chan wire.Request, 1), make(chan error, 1)
	go func() {
		ended <- receive(in, func(r wire.Request) error { return s.handle(r, runs) })
		close(runs)
	}()
	for r := range runs {
		if err := s.runProbe(r); err != nil {
			return err
		}
	}
	return <-ended
}

// receive reads requests until the console ends, also while a probe runs. A host
// that asks during a run has heard nothing for a while. The guest may be asleep
// because it lost a timer, so each request rearms the timers.
func receive(in io.Reader, handle func(wire.Request) error) error {
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
		if err := handle(req); err != nil {
			return err
		}
	}
}

// handle answers a request at once, or adds it to runs.
func (s *session) handle(req wire.Request, runs chan<- wire.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case req.Op == wire.OpRun && req.Run == s.run:
		// The answer was lost or is awaited. A second run would be reported as the first.
		return s.resend(req.From)
	case s.busy:
		return nil // the host asks again when the run has ended
	case req.Op == wire.OpHello:
		return s.greetLocked()
	case req.Op == wire.OpRun:
		s.run, s.kept, s.busy = req.Run, nil, true
		runs <- req
		return nil
	}
	return s.sendLocked(wire.Record{Kind: wire.KindRefused, Run: req.Run, Refused: "unknown request " + string(req.Op)})
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
	for _, p := range s.hello.Probes {
		known = known || p == req.Probe
	}
	r := wire.Record{Kind: wire.KindRefused, Run: req.Run,
		Refused: fmt.Sprintf("probe %q with a limit of %d ms", req.Probe, req.TimeoutMS)}
	if known && req.TimeoutMS > 0 {
		if s.first == nil && !s.place.hosted {
			s.first = s.watch.state()
		}
		out := wire.NewDeflater(req.Run, s.frame)
		exit, err := s.place.run(filepath.Join(s.place.probes, req.Probe), req.Args,
			time.Duration(req.TimeoutMS)*time.Millisecond, req.Stretch, passer{out, s.out})
		if err != nil {
			return err
		}
		if s.first != nil {
			exit.Left = s.first.differs(s.watch.state())
		}
		r = wire.Record{Kind: wire.KindDone, Run: req.Run, Exit: &exit}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	return s.sendLocked(r)
}

func minInt(a, b int) int {
	if a < b {
		return a
	}
	return b
}
