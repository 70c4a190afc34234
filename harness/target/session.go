package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mapstack/conformance/harness/qemu"
	"github.com/mapstack/conformance/poc/wire"
)

// window bounds how far ahead of the next expected frame a guest may be, and
// with it the memory that a lying guest can make the host use.
const window = 1 << 14

// Session is the host's side of the conversation with an agent. It puts frames
// back in order and asks again for what did not arrive whole.
type Session struct {
	send     func([]byte) error
	timeouts qemu.Timeouts
	frames   chan wire.Frame
	damaged  chan struct{}
	dead     <-chan struct{}

	next    uint32 // the guest's sequence number that is expected next
	pending map[uint32]wire.Record
	sent    uint32 // the host's own sequence number
	run     int
}

// errDead means that the other side is gone; the guest knows why.
var errDead = errors.New("the guest ended")

// errSilent means that nothing useful came within the limit.
var errSilent = errors.New("no answer within the limit")

// NewSession returns a session that writes requests with send and ends when
// dead is closed.
func NewSession(send func([]byte) error, dead <-chan struct{}, t qemu.Timeouts) *Session {
	return &Session{send: send, timeouts: t, dead: dead, pending: map[uint32]wire.Record{},
		// When the host is too slow a frame is lost here and asked for again.
		frames: make(chan wire.Frame, 1024), damaged: make(chan struct{}, 1)}
}

// Frame takes a frame from the console. It never blocks.
func (s *Session) Frame(f wire.Frame) {
	select {
	case s.frames <- f:
	default:
		s.Damaged()
	}
}

// Damaged notes that a frame did not arrive whole. It never blocks.
func (s *Session) Damaged() {
	select {
	case s.damaged <- struct{}{}:
	default:
	}
}

// Hello waits for the agent's first record.
func (s *Session) Hello(ctx context.Context) (wire.Hello, error) {
	var hello wire.Hello
	// While firmware or kernel still run, input could stop them. So nothing is
	// asked before a damaged frame shows that the agent is there, or late.
	err := s.collect(ctx, s.timeouts.Boot, s.timeouts.Boot/2, wire.Request{Op: wire.OpResend},
		func(r wire.Record) (bool, error) {
			if r.Kind != wire.KindHello || r.Hello == nil {
				return false, fmt.Errorf("the first record is %q, not hello", r.Kind)
			}
			hello = *r.Hello
			return true, nil
		})
	if err == nil && hello.Protocol != wire.Protocol {
		err = fmt.Errorf("the agent speaks protocol %d, this host %d; build both from one revision", hello.Protocol, wire.Protocol)
	}
	return hello, err
}

// Run runs one probe and returns everything it observed. observed is called
// for each observation.
func (s *Session) Run(ctx context.Context, probe string, args []string, observed func()) (wire.Transcript, error) {
	s.run++
	t := wire.Transcript{Probe: probe, Args: args, Observations: []wire.Observation{}}
	request := wire.Request{Op: wire.OpRun, Run: s.run, Probe: probe, Args: args,
		TimeoutMS: int(s.timeouts.Probe / time.Millisecond)}
	if err := s.request(request); err != nil {
		return t, err
	}
	steps := map[string]bool{}
	err := s.collect(ctx, s.timeouts.Probe+s.timeouts.Watchdog, s.timeouts.Quiet, request,
		func(r wire.Record) (bool, error) {
			switch {
			case r.Run != s.run:
				return false, fmt.Errorf("a record of run %d came in run %d", r.Run, s.run)
			case r.Kind == wire.KindObservation && r.Observation != nil:
				if steps[r.Observation.Step] {
					return false, fmt.Errorf("probe %s reported step %q twice", probe, r.Observation.Step)
				}
				steps[r.Observation.Step] = true
				t.Observations = append(t.Observations, *r.Observation)
				observed()
				return false, nil
			case r.Kind == wire.KindDone && r.Exit != nil:
				t.Exit = *r.Exit
				return true, nil
			case r.Kind == wire.KindRefused:
				return false, fmt.Errorf("the agent refused to run probe %s: %s", probe, r.Refused)
			}
			return false, fmt.Errorf("a record of unknown kind %q", r.Kind)
		})
	return t, err
}

// collect hands records to accept in the guest's order until it says that the
// last one came. again is what to ask while nothing at all has come.
func (s *Session) collect(ctx context.Context, limit, quiet time.Duration, again wire.Request, accept func(wire.Record) (bool, error)) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	idle := time.NewTimer(quiet)
	defer idle.Stop()
	begun := false
	ask := func() error {
		if begun || len(s.pending) > 0 {
			return s.request(wire.Request{Op: wire.OpResend, From: s.next})
		}
		return s.request(again)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return errSilent
		case <-s.dead:
			return errDead
		case <-s.damaged:
			// Asked at once when nothing else is coming, else with the next pause.
			idle.Reset(min(quiet, s.timeouts.Quiet/10))
		case <-idle.C:
			if err := ask(); err != nil {
				return err
			}
			quiet = min(quiet*2, limit) // a slow probe is not made slower by questions
			idle.Reset(quiet)
		case f := <-s.frames:
			if f.Seq < s.next || f.Seq-s.next >= window {
				continue // a repeated frame, or nonsense
			}
			var r wire.Record
			if err := json.Unmarshal(f.Payload, &r); err != nil {
				return fmt.Errorf("a whole frame that is no record: %w", err)
			}
			s.pending[f.Seq] = r
			for r, ok := s.pending[s.next]; ok; r, ok = s.pending[s.next] {
				delete(s.pending, s.next)
				s.next++
				begun = true
				if done, err := accept(r); done || err != nil {
					return err
				}
			}
			if len(s.pending) > 0 {
				// A gap: what is missing is asked for as soon as the stream pauses.
				idle.Reset(min(quiet, s.timeouts.Quiet/10))
			} else {
				idle.Reset(quiet)
			}
		}
	}
}

// request sends one request. The newline before it ends whatever a damaged
// earlier request left in the agent's line.
func (s *Session) request(r wire.Request) error {
	line, err := wire.EncodeJSON(wire.HostPrefix, s.sent, r)
	if err != nil {
		return fmt.Errorf("request %s: %w", r.Op, err)
	}
	s.sent++
	return s.send(append([]byte("\n"), line...))
}
