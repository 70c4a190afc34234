package goruntime

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// usual is the recorded cell whose facts these tests use.
const usual = "amd64-debian13bpo-newest"

// host is a transcript of the probe on an amd64 host that was not its own, as
// root, and the facts of a machine like it. pids and nested ran in a hierarchy of
// version 1, pid_max in a PID namespace. What needs a whole machine was not tried
// there, and stands in: threads-max with the answers of pid_max, max_map_count
// with those of RLIMIT_AS, memory with what row LM-22 of the catalogue saw.
func host(t testing.TB) (facts.Facts, wire.Transcript) {
	t.Helper()
	f, _ := recorded.Kernel(t, usual, "tracing")
	data, err := os.ReadFile("testdata/host.json")
	if err != nil {
		t.Fatal(err)
	}
	var tr wire.Transcript
	if err := json.Unmarshal(data, &tr); err != nil {
		t.Fatal(err)
	}
	for _, cause := range []string{"threads-max", "max_map_count", "memory"} {
		tr = recorded.Without(t, tr, cause)
	}
	tr = standIn(tr, "pid_max", "threads-max")
	tr = standIn(tr, "as", "max_map_count")
	tr = standIn(tr, "as", "memory")
	tr = recorded.Change(t, tr, "memory.end", func(o *wire.Observation) {
		o.Values = map[string]string{"hung": "false", "signal": "killed", "text": "", "bytes": "0"}
	})
	tr.Observations = append(tr.Observations, wire.Observation{Step: "memory.events",
		Values: map[string]string{"inner.oom_kill": "1", "limited.oom_kill": "1"}})
	return f, tr
}

// standIn gives a cause the answers of another.
func standIn(tr wire.Transcript, from, to string) wire.Transcript {
	for _, o := range tr.Observations {
		if o.Step == from || strings.HasPrefix(o.Step, from+".") {
			o.Step = to + strings.TrimPrefix(o.Step, from)
			tr.Observations = append(tr.Observations, o)
		}
	}
	return tr
}

// lost is the same where the runtime does not notice that clone failed: the
// kernel answers as everywhere, and the program hangs without a word.
func lost(t testing.TB) (facts.Facts, wire.Transcript) {
	t.Helper()
	f, tr := host(t)
	f.Arch = "riscv64"
	for _, o := range tr.Observations {
		cause, refused := strings.CutSuffix(o.Step, ".clone")
		if !refused || o.Errno == 0 {
			continue
		}
		tr = recorded.Change(t, tr, cause+".clone", recorded.Value("refused", "2"))
		tr = recorded.Change(t, tr, cause+".end", func(o *wire.Observation) {
			o.Values = map[string]string{"hung": "true", "signal": "killed", "text": "", "bytes": "0"}
		})
	}
	// That program is another architecture's, too.
	tr = recorded.Change(t, tr, "chain.clone", recorded.Value("flags", "0x50f00"))
	return f, tr
}

func TestTheHostsAnswersPass(t *testing.T) {
	f, tr := host(t)
	for id, o := range recorded.Judge(Area(), f, tr) {
		if o.Status != verdict.Pass {
			t.Errorf("%s: %s: %s", id, o.Status, o.Reason)
		}
	}
}

// TestProbeSaysWhatTheClaimsAsk fails if the probe and the claims no longer
// speak of the same steps and values. It judges this host's kernel, which may be
// any, so only an error is a defect of ours.
func TestProbeSaysWhatTheClaimsAsk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("not asked: only root may become another user, or filter calls and keep its privileges")
		return
	}
	f, err := facts.Parse(recorded.Here(t, "facts"), nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := recorded.Here(t, probe)
	for _, c := range Area().Claims {
		switch got := recorded.One(t, Area(), c.ID, f, tr); got.Status {
		case verdict.Error:
			// What concerns the whole machine was not tried.
			if !strings.Contains(got.Reason, "not tried") {
				t.Errorf("%s: %s", c.ID, got.Reason)
			}
		case verdict.Fail:
			t.Logf("this host's kernel fails %s: %s", c.ID, got.Reason)
		}
	}
}
