package claim

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/poc/wire"
)

func TestAccessorsRefuseWhatIsNotThere(t *testing.T) {
	tr := Transcript{Transcript: wire.Transcript{Probe: "p", Observations: []wire.Observation{{
		Step: "s", Ret: "0x1000", Errno: 0,
		Values:  map[string]string{"n": "12", "x": "0xff", "flags": "rd wr  nh", "junk": "12.5"},
		Unknown: map[string]string{"u": "no permission"},
	}}}}
	o := tr.Step("s")
	if o.Int("n") != 12 || o.Uint("x") != 255 || o.Result() != 0x1000 || len(o.Words("flags")) != 3 || !o.OK() {
		t.Fatalf("values were misread: %+v", o)
	}
	if o.Has("absent") || !o.Has("n") {
		t.Error("Has confuses present and absent")
	}
	for name, f := range map[string]func(){
		"Has of an unknown value":   func() { o.Has("u") },
		"Value of an unknown value": func() { o.Value("u") },
		"Value of an absent value":  func() { o.Value("absent") },
		"Int of a fraction":         func() { o.Int("junk") },
		"Int of hexadecimal":        func() { o.Int("x") },
		"Uint of a fraction":        func() { o.Uint("junk") },
		"Step that is not there":    func() { tr.Step("t") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				m, ok := recover().(Missing)
				if !ok || !strings.Contains(m.Error(), "probe p") {
					t.Errorf("recovered %#v, want a Missing that names the probe", m)
				}
			}()
			f()
			t.Error("returned instead of stopping the check")
		})
	}
}

// TestAMissingStepTellsHowItsChildEnded fails if a reader must look into the transcript for why
// a child said nothing.
func TestAMissingStepTellsHowItsChildEnded(t *testing.T) {
	child := func(step string, values map[string]string) wire.Observation {
		return wire.Observation{Step: step, Values: values}
	}
	tr := wire.Transcript{Probe: "p", Observations: []wire.Observation{
		child("crashed", map[string]string{"exit": "2", "stderr": "fatal error: x\n\tmore", "timedout": "false"}),
		child("killed", map[string]string{"signal": "SIGKILL", "timedout": "false"}),
		child("slow", map[string]string{"signal": "SIGKILL", "timedout": "true"}),
		child("well", map[string]string{"exit": "0"}), child("none", nil),
	}}
	s := Shows(facts.Facts{}, map[string]wire.Transcript{"p": tr})
	for step, want := range map[string]string{
		"crashed.user":   `; its child "crashed" ended with status 2: "fatal error: x"`,
		"crashed.user.b": `; its child "crashed" ended with status 2: "fatal error: x"`,
		"killed.user":    `; its child "killed" ended with signal SIGKILL: ""`,
		"slow.user":      `; its child "slow" ended with a stop after its limit of time: ""`,
		"well.user":      "", "none.user": "", "other.user": "", ".user": "",
	} {
		want = `probe p did not report step "` + step + `"` + want
		if got := s.Unreported("p", step); got.State != CouldNotTell || got.How != want {
			t.Errorf("%s: %+v, want %s", step, got, want)
		}
	}
	defer func() {
		if m, ok := recover().(Missing); !ok || !strings.HasSuffix(m.Error(), `ended with status 2: "fatal error: x"`) {
			t.Errorf("%#v", m)
		}
	}()
	Transcript{Transcript: tr}.Step("crashed.user")
}
