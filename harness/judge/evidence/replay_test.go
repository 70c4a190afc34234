package evidence

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/mapstack/conformance/poc/wire"
)

// TestTheEndOfAnEarlierConversationHidesNoRun fails if a guest that was saved while it spoke
// makes honest evidence look changed: its log begins with the rest of what it said.
func TestTheEndOfAnEarlierConversationHidesNoRun(t *testing.T) {
	var log []byte
	say := func(seq uint32, payload []byte) {
		line, err := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: seq, Payload: payload})
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, line...)
	}
	record := func(r wire.Record) []byte {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	hello := record(wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{Protocol: wire.Protocol}})
	say(2, record(wire.Record{Kind: wire.KindDone, Run: 1, Exit: &wire.Exit{}})) // the earlier one
	say(0, hello)
	say(0, hello)
	d := wire.NewDeflater(1, func(p []byte) error { say(1, bytes.Clone(p)); return nil })
	if _, err := d.Write([]byte(`{"step":"a"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	exit := wire.Exit{Code: 3}
	say(2, record(wire.Record{Kind: wire.KindDone, Run: 1, Exit: &exit}))
	said := wire.Transcript{Observations: []wire.Observation{{Step: "a"}}, Exit: exit}
	if !shows(log, said) {
		t.Errorf("the log does not show the run: %+v", guests(log))
	}
	said.Exit.Code = 0
	if shows(log, said) {
		t.Error("the log shows a run that it does not hold")
	}
}
