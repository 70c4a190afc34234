package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/poc/wire"
)

// window bounds how far ahead of the next expected frame a guest may be.
const window = 1 << 14

// maxTranscript bounds what one run may send, in bytes of payload. This also bounds the host
// memory that a lying guest can use. Real runs stay below 10 kB.
const maxTranscript = 2 << 20

const (
	// maxObservation bounds one line of a probe, in bytes.
	maxObservation = 16 << 10
	// maxObservations bounds one run. A probe makes hundreds; a broken one might never stop.
	maxObservations = 8192
)

// peer is the machine that the agent runs on.
type peer interface {
	Send([]byte) error
	Exited() <-chan struct{}
	// Await returns a channel that gets an error once the machine had a time to answer. The
	// caller must call stop.
	Await(limit time.Duration) (late <-chan error, stop func())
	// Paces says how much the machine has run so far. It is empty if that is not known.
	Paces() qemu.Paces
}

// session is the host's side of the conversation with an agent. It puts frames back in order
// and asks again for those that did not arrive whole.
type session struct {
	peer     peer
	timeouts qemu.Timeouts
	frames   chan wire.Frame
	damaged  chan struct{}

	next    uint32 // the guest's sequence number that is expected next
	pending map[uint32][]byte
	taken   int    // bytes of this run's frames
	sent    uint32 // the host's own sequence number
	run     int
}

// errDead means that the agent or its machine has ended. The caller finds out why.
var errDead = errors.New("the guest ended")

// errSilent means that no useful answer came within the limit.
var errSilent = errors.New("no answer")

// newSession returns a session that accepts frames at once. It can send requests once its
// peer is set.
func newSession(t qemu.Timeouts) *session {
	return &session{timeouts: t, pending: map[uint32][]byte{},
		// If the host is too slow, a frame is lost here and asked for again.
		frames: make(chan wire.Frame, 1024), damaged: make(chan struct{}, 1)}
}

// frame takes a frame from the console. It never blocks.
func (s *session) frame(f wire.Frame) {
	select {
	case s.frames <- f:
	default:
		s.damage()
	}
}

// damage notes that a frame did not arrive whole. It never blocks.
func (s *session) damage() {
	select {
	case s.damaged <- struct{}{}:
	default:
	}
}

// hello waits for the agent's first record.
func (s *session) hello(ctx context.Context) (wire.Hello, error) {
	// Input could stop the firmware or the kernel while they boot. So nothing is asked
	// until a damaged frame shows that the agent runs, or half of the time is over.
	return s.greet(ctx, s.timeouts.Boot, s.timeouts.Boot/2)
}

// helloAgain asks the agent to begin anew and to repeat its hello. Nothing that it said before
// is on its way after that.
func (s *session) helloAgain(ctx context.Context) (wire.Hello, error) {
	s.next = 0
	if err := s.request(greeting); err != nil {
		return wire.Hello{}, err
	}
	return s.greet(ctx, s.timeouts.Restore, s.timeouts.Quiet)
}

// greeting asks for the hello.
var greeting = wire.Request{Op: wire.OpHello}

func (s *session) greet(ctx context.Context, limit, quiet time.Duration) (wire.Hello, error) {
	var hello wire.Hello
	err := s.collect(ctx, limit, quiet, greeting, records(func(r wire.Record) (bool, error) {
		if r.Kind != wire.KindHello || r.Hello == nil {
			return false, fmt.Errorf("the first record is %q, not hello", r.Kind)
		}
		hello = *r.Hello
		return true, nil
	}))
	if err == nil && hello.Protocol != wire.Protocol {
		err = fmt.Errorf("the agent speaks protocol %d, this host %d; build both from one revision", hello.Protocol, wire.Protocol)
	}
	return hello, err
}

// records returns a function that reads records and hands them to accept.
func records(accept func(wire.Record) (bool, error)) func([]byte) (bool, error) {
	return func(payload []byte) (bool, error) {
		var r wire.Record
		if err := json.Unmarshal(payload, &r); err != nil {
			return false, fmt.Errorf("a whole frame that is no record: %w", err)
		}
		return accept(r)
	}
}

// probe runs one probe and returns everything it observed.
func (s *session) probe(ctx context.Context, probe string, args []string) (wire.Transcript, error) {
	s.run++
	s.taken = 0
	t := wire.Transcript{Probe: probe, Args: args, Observations: []wire.Observation{}}
	before := s.peer.Paces()
	stretch := stretchFor(before.Since(nil))
	limit := s.timeouts.Probe * time.Duration(stretch)
	request := wire.Request{Op: wire.OpRun, Run: s.run, Probe: probe, Args: args,
		TimeoutMS: int(limit / time.Millisecond), Stretch: stretch, From: s.next}
	if err := s.request(request); err != nil {
		return t, err
	}
	var deflated []byte
	end := records(func(r wire.Record) (bool, error) {
		switch {
		case r.Run != s.run:
			return false, fmt.Errorf("a record of run %d came in run %d", r.Run, s.run)
		case r.Kind == wire.KindDone && r.Exit != nil:
			t.Exit = *r.Exit
			return true, nil
		case r.Kind == wire.KindRefused:
			return false, fmt.Errorf("the agent refused to run probe %s: %s", probe, r.Refused)
		}
		return false, fmt.Errorf("a record of unknown kind %q", r.Kind)
	})
	err := s.collect(ctx, limit+s.timeouts.Watchdog, s.timeouts.Quiet, request, func(payload []byte) (bool, error) {
		run, data, is := wire.Chunk(payload)
		switch {
		case !is:
			return end(payload)
		case run != s.run:
			return false, fmt.Errorf("observations of run %d came in run %d", run, s.run)
		}
		deflated = append(deflated, data...)
		return false, nil
	})
	if err == nil {
		err = starved(s.peer.Paces().Since(before), stretch)
	}
	if err != nil {
		return t, err
	}
	return t, observations(&t, deflated)
}

// observations reads the observations of a whole run.
func observations(t *wire.Transcript, deflated []byte) error {
	printed, err := wire.Inflate(deflated)
	if err != nil {
		return err
	}
	steps, twice := map[string]bool{}, ""
	t.Exit.Dropped = wire.ReadObservations(bytes.NewReader(printed), maxObservation, maxObservations, func(o wire.Observation) {
		if steps[o.Step] {
			twice = o.Step
			return
		}
		steps[o.Step] = true
		t.Observations = append(t.Observations, o)
	})
	if t.Exit.Cut {
		t.Exit.Dropped++
	}
	if twice != "" {
		return fmt.Errorf("probe %s reported step %q twice", t.Probe, twice)
	}
	return nil
}

// collect hands the payloads of frames to accept in the guest's order, until accept says that
// the last one came. again is the request to repeat when nothing comes.
func (s *session) collect(ctx context.Context, limit, quiet time.Duration, again wire.Request, accept func([]byte) (bool, error)) error {
	late, stop := s.peer.Await(limit)
	defer stop()
	idle := time.NewTimer(quiet)
	defer idle.Stop()
	soon := min(quiet, s.timeouts.Quiet/10)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-late:
			return unanswered(err)
		case <-s.peer.Exited():
			return s.lastWords(accept)
		case <-s.damaged:
			// The lost frame is asked for at the next pause of the stream.
			idle.Reset(soon)
		case <-idle.C:
			again.From = s.next
			if err := s.request(again); err != nil {
				return err
			}
			idle.Reset(quiet)
		case f := <-s.frames:
			if done, err := s.take(f, accept); done || err != nil {
				return err
			}
			if len(s.pending) > 0 {
				// There is a gap. The missing frame is asked for when the stream pauses.
				idle.Reset(soon)
			} else {
				idle.Reset(quiet)
			}
		}
	}
}

// unanswered returns the error of a wait that ended with late.
func unanswered(late error) error {
	var stopped *qemu.StoppedError
	if errors.As(late, &stopped) {
		return late // whoever can do nothing is not silent
	}
	return fmt.Errorf("%w %w", errSilent, late)
}

// lastWords accepts the frames that arrived before the guest ended. A probe whose last
// record arrived did end.
func (s *session) lastWords(accept func([]byte) (bool, error)) error {
	for {
		select {
		case f := <-s.frames:
			if done, err := s.take(f, accept); done || err != nil {
				return err
			}
		default:
			return errDead
		}
	}
}

// take hands accept the frame's payload and the payloads that waited for it. It keeps one
// whose predecessors are still missing.
func (s *session) take(f wire.Frame, accept func([]byte) (bool, error)) (done bool, err error) {
	if f.Seq < s.next || f.Seq-s.next >= window {
		return false, nil // a repeated frame, or nonsense
	}
	if _, ok := s.pending[f.Seq]; ok {
		return false, nil
	}
	if f.Seq == 0 {
		// The agent begins anew. What came before is of an earlier conversation: a guest that
		// was saved while it spoke goes on with that when it is restored.
		clear(s.pending)
	}
	if s.taken += len(f.Payload); s.taken > maxTranscript {
		return false, fmt.Errorf("the guest reports more than the %d bytes allowed for one run", maxTranscript)
	}
	s.pending[f.Seq] = f.Payload
	for payload, ok := s.pending[s.next]; ok; payload, ok = s.pending[s.next] {
		delete(s.pending, s.next)
		s.next++
		if done, err := accept(payload); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// request sends one request. The newline before it ends the rest of an earlier, damaged
// request in the agent's input.
func (s *session) request(r wire.Request) error {
	line, err := wire.EncodeJSON(wire.HostPrefix, s.sent, r)
	if err != nil {
		return fmt.Errorf("request %s: %w", r.Op, err)
	}
	s.sent++
	err = s.peer.Send(append([]byte("\n"), line...))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: the guest reads nothing of what it is asked", errSilent)
	}
	return err
}
