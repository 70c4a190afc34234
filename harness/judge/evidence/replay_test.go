package evidence

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/mapstack/conformance/poc/wire"
)

// talk is a console log to which guests write.
type talk struct {
	t   *testing.T
	log []byte
}

func (k *talk) say(seq uint32, payload []byte) {
	k.t.Helper()
	line, err := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: seq, Payload: payload})
	if err != nil {
		k.t.Fatal(err)
	}
	k.log = append(k.log, line...)
}

func (k *talk) record(seq uint32, r wire.Record) {
	k.t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		k.t.Fatal(err)
	}
	k.say(seq, b)
}

func (k *talk) hello() {
	k.t.Helper()
	k.record(0, wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{Protocol: wire.Protocol}})
}

// run says what a probe printed, a frame for each of the parts, and how it ended.
func (k *talk) run(exit wire.Exit, parts ...string) {
	k.t.Helper()
	seq := uint32(0)
	d := wire.NewDeflater(1, func(p []byte) error { seq++; k.say(seq, bytes.Clone(p)); return nil })
	for _, part := range parts {
		if _, err := d.Write([]byte(part + "\n")); err != nil {
			k.t.Fatal(err)
		}
		if err := d.Flush(); err != nil {
			k.t.Fatal(err)
		}
	}
	k.record(seq+1, wire.Record{Kind: wire.KindDone, Run: 1, Exit: &exit})
}

// TestTheEndOfAnEarlierConversationHidesNoRun fails if a guest that was saved while it spoke
// makes honest evidence look changed: its log begins with the rest of what it said.
func TestTheEndOfAnEarlierConversationHidesNoRun(t *testing.T) {
	k := talk{t: t}
	k.record(2, wire.Record{Kind: wire.KindDone, Run: 1, Exit: &wire.Exit{}}) // the earlier one
	k.hello()
	k.hello()
	exit := wire.Exit{Code: 3}
	k.run(exit, `{"step":"a"}`)
	said := wire.Transcript{Observations: []wire.Observation{{Step: "a"}}, Exit: exit}
	if !shows(k.log, said) {
		t.Errorf("the log does not show the run: %+v", guests(k.log))
	}
	said.Exit.Code = 0
	if shows(k.log, said) {
		t.Error("the log shows a run that it does not hold")
	}
}

// TestGuestsThatBeginAlikeAreToldApart fails if honest evidence looks changed because a probe
// was tried again in a guest of the same snapshot, whose first frames are those of the one
// before.
func TestGuestsThatBeginAlikeAreToldApart(t *testing.T) {
	k := talk{t: t}
	ends := map[string]wire.Exit{"b": {}, "c": {Code: 1}, "d": {}}
	for _, last := range []string{"b", "c", "d"} {
		k.hello()
		k.run(ends[last], `{"step":"a"}`, `{"step":"`+last+`"}`)
	}
	for last, exit := range ends {
		if said := (wire.Transcript{Observations: []wire.Observation{{Step: "a"}, {Step: last}}, Exit: exit}); !shows(k.log, said) {
			t.Errorf("the log does not show the guest that ends with %s: %+v", last, guests(k.log))
		}
	}
	if said := (wire.Transcript{Observations: []wire.Observation{{Step: "a"}, {Step: "b"}}, Exit: ends["c"]}); shows(k.log, said) {
		t.Error("the log shows a run that is of two guests")
	}
}
