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
		check func(wire.Exit) bool
	}{
		{"exit", time.Minute, "", func(e wire.Exit) bool { return e.Code == 3 && !e.Clean() }},
		{"crash", time.Minute, "", func(e wire.Exit) bool { return e.Code == 2 && strings.Contains(e.Stderr, "panic: on purpose") }},
		{"hang", 300 * time.Millisecond, "", func(e wire.Exit) bool { return e.TimedOut && e.Signal == "killed" && !e.Clean() }},
		{"lie", time.Minute, "truth after", func(e wire.Exit) bool { return e.Dropped == 3 && e.Clean() }},
		{"nonsense", time.Minute, "", func(e wire.Exit) bool { return e.Code == 2 && strings.Contains(e.Stderr, "usage") }},
	} {
		var steps []string
		exit := place{}.run(path, []string{c.mode}, c.limit, func(o wire.Observation) { steps = append(steps, o.Step) })
		if got := strings.Join(steps, " "); got != c.steps || !c.check(exit) {
			t.Errorf("%s: steps %q, exit %+v", c.mode, got, exit)
		}
	}
}

func TestAProbeThatDoesNotExistIsAnExitNotACrash(t *testing.T) {
	exit := place{}.run(filepath.Join(t.TempDir(), "absent"), nil, time.Minute, func(wire.Observation) { t.Error("observed something") })
	if exit.Clean() || !strings.Contains(exit.Stderr, "agent:") {
		t.Errorf("%+v", exit)
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
	s := &session{out: out, probes: probes}
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
		_ = s.hello("test", "go", "release", nil)
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
		{Op: wire.OpResend, From: 1},
		{Op: wire.OpResend, From: 0}, // this frame is not kept any more, so the oldest kept one is sent
		{Op: wire.OpRun, Run: 1, Probe: "absent", TimeoutMS: 1000},
	} {
		g.ask(t, again)
		if _, _, line := g.record(t); !bytes.Equal(line, first) {
			t.Errorf("%+v: got %q, want %q", again, line, first)
		}
	}
	g.ask(t, wire.Request{Op: wire.OpRun, Run: 2, Probe: "absent", TimeoutMS: 1000})
	if seq, r, _ := g.record(t); seq != 2 || r.Run != 2 {
		t.Errorf("record %d of run %d", seq, r.Run)
	}
}

// TestQuestionsDuringARunAreRead fails if the agent leaves requests on the console
// unread. A guest that sleeps because it lost a timer is woken by how the agent
// handles them.
func TestQuestionsDuringARunAreRead(t *testing.T) {
	line, err := wire.EncodeJSON(wire.HostPrefix, 0, wire.Request{Op: wire.OpResend})
	if err != nil {
		t.Fatal(err)
	}
	requests := make(chan wire.Request, 1) // nobody handles them
	err = receive(bytes.NewReader(bytes.Repeat(line, 1000)), requests)
	if !errors.Is(err, io.EOF) || len(requests) != 1 {
		t.Errorf("%v, and %d requests wait", err, len(requests))
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
