package collect

import (
	"reflect"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

func TestFailuresAreBlamedOnTheRightSide(t *testing.T) {
	cell := matrix.Cell{Name: "cell-a", Arch: "amd64"}
	unreadable := map[string]wire.Transcript{"facts": {Probe: "facts"}}
	for name, tc := range map[string]struct {
		cell   evidence.CellRun
		status verdict.Status
		text   string
	}{
		"nothing wrong, nothing ran": {evidence.CellRun{Cell: cell}, "", ""},
		"the kernel panicked": {evidence.CellRun{Cell: cell, Failure: &failure.Failure{Kind: failure.Panic, Message: "m", Console: "not syncing"}},
			verdict.NotRun, "not syncing"},
		"the mirror is gone": {evidence.CellRun{Cell: cell, Failure: &failure.Failure{Kind: failure.Infra, Message: "no route"}},
			verdict.Error, "no route"},
		"the facts are unreadable": {evidence.CellRun{Cell: cell, Transcripts: unreadable}, verdict.Error, "read the facts of cell cell-a"},
		"unreadable, then a panic": {evidence.CellRun{Cell: cell, Transcripts: unreadable, Failure: &failure.Failure{Kind: failure.Panic, Message: "died"}},
			verdict.Error, "died"},
		"only the facts' guest died": {evidence.CellRun{Cell: cell, Runs: map[string]evidence.ProbeRun{"facts": {Failure: &failure.Failure{Kind: failure.Hang, Message: "wedged"}}}},
			verdict.NotRun, "wedged"},
	} {
		t.Run(name, func(t *testing.T) {
			all := FromCells([]evidence.CellRun{tc.cell})
			if len(all) != 1 {
				t.Fatalf("%d cells", len(all))
			}
			ev := all[0]
			if ev.Lost.Status != tc.status || !strings.Contains(ev.Lost.Why, tc.text) || (tc.text == "") != (ev.Lost.Why == "") {
				t.Errorf("%+v", ev.Lost)
			}
			if ev.Facts != nil || !reflect.DeepEqual(ev.Cell, cell) {
				t.Errorf("%+v", ev)
			}
		})
	}
}
