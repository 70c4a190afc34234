package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// hostile builds the misbehaving probe and returns its path.
func hostile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hostile")
	out, err := exec.Command("go", "build", "-o", path, "../guest").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestAMisbehavingProbeEndsAsWhatItDid(t *testing.T) {
	path := hostile(t)
	for _, c := range []struct {
		mode  string
		limit time.Duration
		steps string
		lost  int
		check func(wire.Exit) bool
	}{
		{"exit", time.Minute, "", 0, func(e wire.Exit) bool { return e.Code == 3 && !e.Clean() }},
		{"crash", time.Minute, "", 0, func(e wire.Exit) bool { return e.Code == 2 && strings.Contains(e.Stderr, "panic: on purpose") }},
		{"hang", 300 * time.Millisecond, "", 0, func(e wire.Exit) bool { return e.TimedOut && e.Signal == "killed" && !e.Clean() }},
		{"lie", time.Minute, "truth after", 3, wire.Exit.Clean},
		{"ask", time.Minute, "before after", 0, wire.Exit.Clean},
		{"nonsense", time.Minute, "", 0, func(e wire.Exit) bool { return e.Code == 2 && strings.Contains(e.Stderr, "usage") }},
	} {
		sent := &frames{}
		exit := sent.run(t, path, c.mode, c.limit)
		if got, lost := sent.steps(t); got != c.steps || lost != c.lost || !c.check(exit) {
			t.Errorf("%s: steps %q, %d lost, exit %+v", c.mode, got, lost, exit)
		}
	}
}

// frames keeps the data of every frame of a run.
type frames struct {
	data [][]byte
	each func() // is called for every frame, unless nil
}

func (f *frames) run(t *testing.T, path, mode string, limit time.Duration) wire.Exit {
	t.Helper()
	out := wire.NewDeflater(1, func(payload []byte) error {
		run, data, is := wire.Chunk(payload)
		if run != 1 || !is {
			t.Errorf("no chunk of run 1: %q", payload)
		}
		f.data = append(f.data, append([]byte{}, data...))
		if f.each != nil {
			f.each()
		}
		return nil
	})
	exit, err := place{}.run(path, []string{mode}, limit, 1, passer{out, io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

func (f *frames) steps(t *testing.T) (steps string, lost int) {
	t.Helper()
	all, err := wire.Inflate(bytes.Join(f.data, nil))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	lost = wire.ReadObservations(bytes.NewReader(all), 1<<14, 100, func(o wire.Observation) { names = append(names, o.Step) })
	return strings.Join(names, " "), lost
}

// TestWhatAProbeSaidIsSentBeforeItGoesOn fails if a probe that may end the machine goes on
// while its last observation is still in the guest.
func TestWhatAProbeSaidIsSentBeforeItGoesOn(t *testing.T) {
	sent := &frames{}
	sent.run(t, hostile(t), "ask", time.Minute)
	if len(sent.data) < 2 {
		t.Fatalf("%d frames", len(sent.data))
	}
	sent.data = sent.data[:1]
	if steps, _ := sent.steps(t); steps != "before" {
		t.Errorf("the first frame has steps %q", steps)
	}
}

// TestAProbeThatDiesBeforeItIsAnsweredIsAnExit fails if the agent takes such a probe for a host
// that is gone, and restarts the guest.
func TestAProbeThatDiesBeforeItIsAnsweredIsAnExit(t *testing.T) {
	sent := &frames{each: func() {
		for len(children()) > 0 { // the answer follows the first frame
			time.Sleep(time.Millisecond)
		}
	}}
	exit := sent.run(t, hostile(t), "leave", time.Minute)
	if steps, _ := sent.steps(t); steps != "before" || !exit.Clean() {
		t.Errorf("steps %q, exit %+v", steps, exit)
	}
}

func TestAProbeThatDoesNotExistIsAnExitNotACrash(t *testing.T) {
	sent := &frames{}
	exit := sent.run(t, filepath.Join(t.TempDir(), "absent"), "", time.Minute)
	if exit.Clean() || !strings.Contains(exit.Stderr, "agent:") || len(sent.data) > 0 {
		t.Errorf("%+v", exit)
	}
}

// TestMoreThanARunMayPrintIsCut fails if a probe that never stops fills the memory.
func TestMoreThanARunMayPrintIsCut(t *testing.T) {
	var kept bytes.Buffer
	b := bounded{to: &kept, left: 5}
	for _, p := range []string{"abc", "def", "ghi"} {
		if n, err := b.Write([]byte(p)); n != 3 || err != nil {
			t.Fatal(n, err)
		}
	}
	if kept.String() != "abcde" || !b.cut {
		t.Errorf("%q, cut: %v", kept.String(), b.cut)
	}
}

func TestTheEndsOfALongStderrAreKept(t *testing.T) {
	e := &ends{limit: wire.StderrLimit}
	for _, p := range []string{"fatal error: newosproc\n", strings.Repeat("frame\n", 4000), "exit status 2\n"} {
		if n, err := e.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	got := e.String()
	if len(got) > wire.StderrLimit || !strings.HasPrefix(got, "fatal error: newosproc\n") || !strings.HasSuffix(got, "exit status 2\n") {
		t.Errorf("%d bytes: %q ... %q", len(got), got[:40], got[len(got)-40:])
	}
}

// guest is a session that is reached over pipes.
type guest struct {
	toAgent *os.File
	seq     uint32
	lines   chan []byte
}

func startSession(t *testing.T, probes ...string) *guest {
	t.Helper()
	in, toAgent, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromAgent, out := io.Pipe()
	s := newSession(out, wire.Hello{Probes: probes}, place{})
	g := &guest{toAgent: toAgent, lines: make(chan []byte, 100)}
	go func() {
		buf := make([]byte, wire.MaxLine)
		for {
			n, err := fromAgent.Read(buf)
			if err != nil {
				close(g.lines)
				return
			}
			g.lines <- append([]byte{}, buf[:n]...)
		}
	}()
	go func() {
		_ = s.greet()
		_ = s.answer(in)
		_ = out.Close()
	}()
	t.Cleanup(func() { _ = toAgent.Close() })
	return g
}

func (g *guest) ask(t *testing.T, r wire.Request) {
	t.Helper()
	line, err := wire.EncodeJSON(wire.HostPrefix, g.seq, r)
	if err != nil {
		t.Fatal(err)
	}
	g.seq++
	if _, err := g.toAgent.Write(line); err != nil {
		t.Fatal(err)
	}
}

func (g *guest) record(t *testing.T) (uint32, wire.Record, []byte) {
	t.Helper()
	line, ok := <-g.lines
	if !ok {
		t.Fatal("the agent ended")
	}
	f, err := wire.Decode(wire.GuestPrefix, line)
	if err != nil {
		t.Fatal(err)
	}
	var r wire.Record
	if err := json.Unmarshal(f.Payload, &r); err != nil {
		t.Fatal(err)
	}
	return f.Seq, r, line
}

func TestALostAnswerIsSentAgainAndNothingRunsTwice(t *testing.T) {
	g := startSession(t, "absent")
	if seq, r, _ := g.record(t); seq != 0 || r.Kind != wire.KindHello {
		t.Fatalf("first record %d %+v", seq, r)
	}
	g.ask(t, wire.Request{Op: wire.OpRun, Run: 1, Probe: "absent", TimeoutMS: 1000})
	seq, done, first := g.record(t)
	if seq != 1 || done.Kind != wire.KindDone || done.Run != 1 || done.Exit.Clean() {
		t.Fatalf("record %d %+v", seq, done)
	}
	for _, again := range []wire.Request{
		{Op: wire.OpRun, Run: 1, From: 1},
		{Op: wire.OpRun, Run: 1, From: 0}, // this frame is not kept any more, so the oldest kept one is sent
		{Op: wire.OpRun, Run: 1, Probe: "absent", TimeoutMS: 1000},
	} {
		g.ask(t, again)
		if _, _, line := g.record(t); !bytes.Equal(line, first) {
			t.Errorf("%+v: got %q, want %q", again, line, first)
		}
	}
	g.ask(t, wire.Request{Op: wire.OpRun, Run: 1, From: 2}) // nothing is missing, nothing is sent
	g.ask(t, wire.Request{Op: wire.OpRun, Run: 2, Probe: "absent", TimeoutMS: 1000})
	if seq, r, _ := g.record(t); seq != 2 || r.Run != 2 {
		t.Errorf("record %d of run %d", seq, r.Run)
	}
	// A restored agent's host counts from the beginning.
	g.ask(t, wire.Request{Op: wire.OpHello})
	if seq, r, _ := g.record(t); seq != 0 || r.Kind != wire.KindHello {
		t.Errorf("record %d %+v", seq, r)
	}
	g.ask(t, wire.Request{Op: wire.OpRun, Run: 1, Probe: "absent", TimeoutMS: 1000})
	if seq, r, _ := g.record(t); seq != 1 || r.Kind != wire.KindDone {
		t.Errorf("record %d %+v", seq, r)
	}
}

// TestQuestionsDuringARunAreRead fails if the agent leaves requests on the console
// unread. A guest that sleeps because it lost a timer is woken by how the agent
// handles them.
func TestQuestionsDuringARunAreRead(t *testing.T) {
	line, err := wire.EncodeJSON(wire.HostPrefix, 0, wire.Request{Op: wire.OpRun, Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	runs := make(chan wire.Request, 1) // nobody runs them
	s := newSession(io.Discard, wire.Hello{}, place{})
	err = receive(bytes.NewReader(bytes.Repeat(line, 1000)), func(r wire.Request) error { return s.handle(r, runs) })
	if !errors.Is(err, io.EOF) || len(runs) != 1 {
		t.Errorf("%v, and %d runs wait", err, len(runs))
	}
}

func TestBadRequestsAreRefusedOrIgnoredNeverFatal(t *testing.T) {
	g := startSession(t, "known")
	g.record(t)
	for _, noise := range []string{"\n", "rubbish\n", wire.HostPrefix + "1 2 3 4\n", strings.Repeat("y", 3*wire.MaxLine) + "\n"} {
		if _, err := g.toAgent.WriteString(noise); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range []wire.Request{
		{Op: "reformat"},
		{Op: wire.OpRun, Run: 1, Probe: "../init", TimeoutMS: 1},
		{Op: wire.OpRun, Run: 2, Probe: "known"},
	} {
		g.ask(t, r)
		if _, got, _ := g.record(t); got.Kind != wire.KindRefused || got.Refused == "" {
			t.Errorf("request %d: %+v", i, got)
		}
	}
}
