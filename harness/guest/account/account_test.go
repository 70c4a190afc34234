package account

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

func table(t testing.TB, goarch string) abi.Table {
	t.Helper()
	a, ok := abi.Lookup(goarch)
	if !ok {
		t.Fatalf("no table for %s", goarch)
	}
	return a
}

func frame(t testing.TB, seq uint32, r wire.Record) wire.Frame {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Frame{Seq: seq, Payload: b}
}

func observed(step string, errno int) wire.Record {
	o := &wire.Observation{Step: step, Errno: errno}
	if errno == 0 {
		o.Ret = "0x0"
	}
	return wire.Record{Kind: wire.KindObservation, Observation: o}
}

var done = wire.Record{Kind: wire.KindDone, Exit: &wire.Exit{}}

// TestWhatDidNotComeWholeIsMissedNotGuessed fails if a step that printk destroyed
// twice is invented. It also fails if such a step makes the others unusable.
func TestWhatDidNotComeWholeIsMissedNotGuessed(t *testing.T) {
	all := []wire.Frame{frame(t, 0, observed("a", 0)), frame(t, 1, observed("b", 35)), frame(t, 2, observed("c", 0)), frame(t, 3, done)}
	other := frame(t, 1, observed("b", 11))
	for name, c := range map[string]struct {
		came    []wire.Frame
		steps   string
		dropped int
		clean   bool
	}{
		"everything once":        {all, "a b c", 0, true},
		"everything twice":       {append(append([]wire.Frame{}, all...), all...), "a b c", 0, true},
		"each once, in disorder": {[]wire.Frame{all[3], all[1], all[0], all[2]}, "a b c", 0, true},
		"one never":              {[]wire.Frame{all[0], all[2], all[3]}, "a c", 1, true},
		"not the end":            {all[:3], "a b c", 0, false},
		"one in two versions":    {append(append([]wire.Frame{}, all...), other), "a c", 1, true},
		"no record":              {append(append([]wire.Frame{}, all[1:]...), wire.Frame{Seq: 0, Payload: []byte("[")}), "b c", 1, true},
		"a step twice":           {append(append([]wire.Frame{}, all...), frame(t, 4, observed("a", 9))), "a b c", 1, true},
		"a number beyond":        {append(append([]wire.Frame{}, all...), frame(t, maxFrames, observed("z", 0))), "a b c", 0, true},
		"too much":               {append(append([]wire.Frame{}, all...), wire.Frame{Seq: 9, Payload: make([]byte, maxBytes)}), "a b c", 0, true},
	} {
		var a Account
		for _, f := range c.came {
			a.Frame(f)
		}
		tr, spoke := a.Transcript(table(t, "alpha"))
		var steps []string
		for _, o := range tr.Observations {
			steps = append(steps, o.Step)
			if o.Step == "b" && (o.Errno != 35 || o.Error != "EAGAIN") {
				t.Errorf("%s: error %d is called %q", name, o.Errno, o.Error)
			}
		}
		if got := strings.Join(steps, " "); !spoke || got != c.steps || tr.Exit.Dropped != c.dropped || tr.Exit.Clean() != c.clean {
			t.Errorf("%s: spoke %t, steps %q, exit %+v; want %q, %d dropped, clean %t", name, spoke, got, tr.Exit, c.steps, c.dropped, c.clean)
		}
	}
	var silent Account
	if tr, spoke := silent.Transcript(table(t, "sw64")); spoke || tr.Exit.Clean() {
		t.Errorf("silence gives %+v", tr)
	}
}

// recorded reads a transcript of stage 0 from suites/stage0/testdata.
func recorded(t testing.TB, name string) (tr wire.Transcript) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "suites", "stage0", "testdata", name+".json"))
	if err == nil {
		err = json.Unmarshal(b, &tr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// answered returns a copy of the transcript with other errnos for some steps.
func answered(tr wire.Transcript, errnos map[string]int) wire.Transcript {
	tr.Observations = append([]wire.Observation{}, tr.Observations...)
	for i := range tr.Observations {
		if errno, changed := errnos[tr.Observations[i].Step]; changed {
			tr.Observations[i].Errno, tr.Observations[i].Ret = errno, ""
		}
	}
	return tr
}

func TestAnotherABIIsNamedAndTheRightOneIsNot(t *testing.T) {
	for _, right := range []string{"amd64", "arm64", "loong64", "mips64le", "alpha"} {
		if got := Diagnose(recorded(t, right), table(t, right)); len(got) > 0 {
			t.Errorf("%s: %q", right, got)
		}
	}
	old := answered(recorded(t, "loong64"), map[string]int{stage0.SignalSet(8): 22, stage0.SignalSet(16): 0, stage0.OldLimits: 0})
	for name, c := range map[string]struct {
		said wire.Transcript
		arch string
		want []string // parts of the findings, in order
	}{
		"the public sw64 user-mode emulator": {recorded(t, "sw64-generic-user"), "sw64", []string{
			"MAP_ANONYMOUS is 0x20 here, not 0x10: this is the ABI of asm-generic"}},
		"that emulator with alpha's MAP_*": {recorded(t, "sw64-map-user"), "sw64", []string{
			"RLIMIT_NPROC is 6 here, not 8 as on sw64", "O_CLOEXEC|O_NONBLOCK is 0x80800 here, not 0x200004 as on sw64"}},
		"that emulator with alpha's MAP_* and RLIMIT_*": {recorded(t, "sw64-rlimit-user"), "sw64", []string{
			"O_CLOEXEC|O_NONBLOCK is 0x80800 here, not 0x200004 as on sw64: pipe2 fails, and a Go program that needs its network poller ends with \"runtime: pipe failed with 22\""}},
		"that emulator with all of alpha's tables": {recorded(t, "sw64-mended-user"), "sw64", nil},
		"an old-world kernel":                      {old, "loong64", []string{"128 signals here, and 64 on loong64, and there is a getrlimit with number 163: this is the old world"}},
		"alpha's kernel for amd64": {recorded(t, "alpha"), "amd64", []string{
			"MAP_ANONYMOUS is 0x10 here, not 0x20: this is the ABI of alpha and sw64", "fails with error 78"}},
		"another number for RLIMIT_NPROC": {answered(recorded(t, "amd64"), map[string]int{stage0.Process(6): 0, stage0.Process(8): 11}), "amd64",
			[]string{"RLIMIT_NPROC is 8 here, not 6"}},
		"no agent": {wire.Transcript{Observations: []wire.Observation{{Step: stage0.ExecveAgent, Errno: 8, Error: "ENOEXEC"}}}, "sw64",
			[]string{"/agent cannot be started: ENOEXEC (8)"}},
		"nothing at all": {wire.Transcript{}, "sw64", nil},
	} {
		got := Diagnose(c.said, table(t, c.arch))
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %q does not say %q", name, got[i], want)
			}
		}
	}
}

func FuzzAccount(f *testing.F) {
	f.Add(uint32(0), []byte(`{"kind":"observation","observation":{"step":"call.unknown","errno":38}}`), uint32(1), []byte(`{"kind":"done","exit":{}}`))
	f.Add(uint32(0), []byte(`{"kind":"observation"}`), uint32(0), []byte(`null`))
	f.Fuzz(func(t *testing.T, first uint32, a []byte, second uint32, b []byte) {
		var account Account
		account.Frame(wire.Frame{Seq: first, Payload: a})
		account.Frame(wire.Frame{Seq: second, Payload: b})
		tr, _ := account.Transcript(table(t, "loong64"))
		if len(tr.Observations) > 2 || tr.Exit.Dropped < 0 || tr.Exit.Dropped > maxFrames+2 {
			t.Errorf("%+v", tr)
		}
		Diagnose(tr, table(t, "loong64"))
	})
}
