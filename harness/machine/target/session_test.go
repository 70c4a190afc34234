package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/poc/wire"
)

// script is a peer whose answers are a function of what it is asked.
type script struct {
	answer func(wire.Request) error
	exited chan struct{}
	pace   qemu.Pace
}

func (p *script) Send(line []byte) error {
	f, err := wire.Decode(wire.HostPrefix, line)
	if err != nil {
		return err
	}
	var r wire.Request
	if err := json.Unmarshal(f.Payload, &r); err != nil {
		return err
	}
	return p.answer(r)
}

func (p *script) Paces() qemu.Paces { return qemu.Paces{"1": p.pace, "2": {Waited: time.Hour}} }

func (p *script) Exited() <-chan struct{} { return p.exited }

func (p *script) Await(limit time.Duration) (<-chan error, func()) {
	late := make(chan error, 1)
	t := time.AfterFunc(limit, func() { late <- &qemu.LateError{Limit: limit, Took: limit} })
	return late, func() { t.Stop() }
}

func talk(answer func(*session, wire.Request) error) (*session, *script) {
	s := newSession(qemu.TimeoutsFor(qemu.TCG, 1))
	p := &script{exited: make(chan struct{})}
	p.answer = func(r wire.Request) error { return answer(s, r) }
	s.peer = p
	return s, p
}

func recordFrame(t testing.TB, seq uint32, r wire.Record) wire.Frame {
	t.Helper()
	payload, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Frame{Seq: seq, Payload: payload}
}

func done(run int) wire.Record {
	return wire.Record{Kind: wire.KindDone, Run: run, Exit: &wire.Exit{}}
}

// A probe takes nearly all of its time, and its last record is then lost without a trace.
// The host has asked many times, and must ask once more.
func TestALastRecordLostAfterALongSilenceIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		s, _ := talk(func(s *session, r wire.Request) error {
			if time.Since(started) > s.timeouts.Probe {
				s.frame(recordFrame(t, 0, done(1)))
			}
			return nil
		})
		if _, err := s.probe(t.Context(), "p", nil); err != nil {
			t.Error(err)
		}
	})
}

// A guest that was saved while it repeated its last answer goes on with it when it is restored.
func TestTheEndOfAnEarlierConversationEndsNoRun(t *testing.T) {
	var chunk []byte
	d := wire.NewDeflater(1, func(p []byte) error { chunk = bytes.Clone(p); return nil })
	if _, err := d.Write([]byte(`{"step":"a"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	s, _ := talk(func(s *session, r wire.Request) error {
		if r.Op == wire.OpHello {
			s.frame(recordFrame(t, 2, done(1))) // of the earlier conversation
			s.frame(recordFrame(t, 0, wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{Protocol: wire.Protocol}}))
			return nil
		}
		s.frame(wire.Frame{Seq: 1, Payload: chunk})
		failed := done(1)
		failed.Exit.Code = 3
		s.frame(recordFrame(t, 2, failed))
		return nil
	})
	if _, err := s.helloAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := s.probe(t.Context(), "p", nil)
	if err != nil || got.Exit.Code != 3 || len(got.Observations) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestASilentGuestIsAskedAllTheTimeButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		s, _ := talk(func(*session, wire.Request) error { asked++; return nil })
		started := time.Now()
		_, err := s.probe(t.Context(), "p", nil)
		limit := s.timeouts.Probe + s.timeouts.Watchdog
		if !errors.Is(err, errSilent) || !strings.Contains(err.Error(), limit.String()) || time.Since(started) != limit {
			t.Errorf("after %v: %v, want silence after %v", time.Since(started), err, limit)
		}
		// A guest whose timers were lost wakes when it is asked.
		if want := int(limit / s.timeouts.Quiet); asked < want || asked > want+1 {
			t.Errorf("asked %d times in %v, want %d", asked, limit, want)
		}
	})
}

// The order in which the two are noticed must not decide a probe's outcome.
func TestAProbeThatEndedBeforeItsGuestDidHasEnded(t *testing.T) {
	for range 50 {
		s, p := talk(func(s *session, r wire.Request) error {
			s.frame(recordFrame(t, 0, done(1)))
			return nil
		})
		close(p.exited)
		if _, err := s.probe(t.Context(), "p", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.probe(t.Context(), "p", nil); !errors.Is(err, errDead) {
			t.Fatalf("a second probe on a dead guest: %v", err)
		}
	}
}

func TestAGuestThatReportsForEverIsStopped(t *testing.T) {
	long := "z\x00\x00\x00\x01" + strings.Repeat("x", wire.MaxPayload/2)
	for name, step := range map[string]uint32{"in order": 0, "with a gap that never closes": 1} {
		t.Run(name, func(t *testing.T) {
			s, _ := talk(func(*session, wire.Request) error { return nil })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			go func() {
				for i := uint32(0); ctx.Err() == nil; i++ {
					f := wire.Frame{Seq: i + step, Payload: []byte(long)}
					select {
					case s.frames <- f:
					case <-ctx.Done():
					}
				}
			}()
			tr, err := s.probe(ctx, "p", nil)
			if err == nil || !strings.Contains(err.Error(), "more than the") {
				t.Errorf("%d observations and %v", len(tr.Observations), err)
			}
		})
	}
}

func TestAGuestThatReadsNothingIsSilent(t *testing.T) {
	s, _ := talk(func(*session, wire.Request) error { return fmt.Errorf("write: %w", os.ErrDeadlineExceeded) })
	if _, err := s.probe(t.Context(), "p", nil); !errors.Is(err, errSilent) {
		t.Errorf("got %v, want silence", err)
	}
}

// Whatever frames a guest sends, the conversation ends, and the transcript has each step
// once.
func FuzzSession(f *testing.F) {
	out := wire.NewDeflater(1, func(payload []byte) error {
		f.Add(uint32(0), bytes.Clone(payload), uint32(1), []byte(`{"kind":"done","run":1,"exit":{}}`))
		return nil
	})
	fmt.Fprintln(out, `{"step":"a"}`)
	if err := out.Flush(); err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(1), []byte(`{"kind":"done","run":1}`), uint32(0), []byte(`{"kind":"refused","run":1,"refused":"x"}`))
	f.Add(uint32(1<<31), []byte(`null`), uint32(0), []byte(`{"kind":"hello","hello":{}}`))
	f.Fuzz(func(t *testing.T, a uint32, first []byte, b uint32, second []byte) {
		s, p := talk(func(s *session, _ wire.Request) error {
			for _, fr := range []wire.Frame{{Seq: a, Payload: first}, {Seq: b, Payload: second}, {Seq: a, Payload: second}} {
				s.frame(fr)
			}
			return nil
		})
		close(p.exited)
		tr, err := s.probe(t.Context(), "p", nil)
		if err == nil && s.next == 0 {
			t.Error("a run ended without a record")
		}
		steps := map[string]bool{}
		for _, o := range tr.Observations {
			if steps[o.Step] {
				t.Errorf("step %q twice", o.Step)
			}
			steps[o.Step] = true
		}
		_, _ = s.hello(t.Context())
	})
}
