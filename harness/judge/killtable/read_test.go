package killtable

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// TestWhatIsReadIsWhatWasWritten fails if a table says another thing to its reader than the
// trials said.
func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	table := sound()
	table.Excused["MS-003"] = "no injector can"
	other := table.Kernels[0]
	other.Name = "d"
	other.Trials = []Trial{{Defect: "a", Outcomes: other.Trials[0].Outcomes[:1]}, {Defect: "b", Unserved: "not here"}}
	table.Kernels = append(table.Kernels, other)
	var b bytes.Buffer
	if err := table.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Read(b.Bytes())
	want := Proofs{"MS-001": {Catches: []Catch{{Defect: "a"}}}, "MS-002": {Catches: []Catch{{Defect: "a", On: "c"}}},
		"MS-003": {None: "no injector can"}, "MS-006": {None: "no model was made"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, text := range []string{"", "| MS-001 | " + string(verdict.Must) + " | a |"} {
		if _, err := Read([]byte(text)); err == nil || !strings.Contains(err.Error(), "make kill-table") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
