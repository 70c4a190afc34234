package claim

import (
	"strings"
	"testing"

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
