package suites

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/collect"
)

// FuzzHostileObservations changes one observation of each recorded probe to
// anything that a guest may send. A check may fail or stop, but must not crash.
func FuzzHostileObservations(f *testing.F) {
	_, cells, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		f.Fatal(err)
	}
	kernel := collect.FromCells(cells)[0]
	suites := All()
	f.Add(uint16(0), "", "", "", 0, "0x")
	f.Add(uint16(1), "plain", "vmflags", "", 22, "")
	f.Add(uint16(9), "", "start", "-1", -1, "0xffffffffffffffff")
	f.Add(uint16(33), "", "8", "ok", 0, "18446744073709551616")
	f.Add(uint16(80), "", "resident", "9999999999999999999999", 0, "0x7f0000000000")
	f.Fuzz(func(t *testing.T, at uint16, step, key, value string, errno int, ret string) {
		ev := kernel
		ev.Transcripts = map[string]wire.Transcript{}
		for probe, tr := range kernel.Transcripts {
			tr.Observations = slices.Clone(tr.Observations)
			o := &tr.Observations[int(at)%len(tr.Observations)]
			if step != "" {
				o.Step = step
			}
			o.Values = maps.Clone(o.Values)
			if o.Values != nil {
				o.Values[key] = value
			}
			o.Errno, o.Ret = errno, ret
			ev.Transcripts[probe] = tr
		}
		for _, a := range suites {
			for _, o := range a.Judge(ev, nil) {
				if strings.Contains(o.Reason, "panicked") {
					t.Errorf("%s: %s", o.Claim, o.Reason)
				}
			}
		}
	})
}

func TestEmptyTranscriptsDecideNothing(t *testing.T) {
	ev := claim.Evidence{Cell: matrix.Cell{Name: "mute", Arch: "amd64"},
		Facts: &facts.Facts{Arch: "amd64", PageSize: 4096}, Transcripts: map[string]wire.Transcript{}}
	for _, a := range All() {
		for _, c := range a.Claims {
			ev.Transcripts[c.Probe] = wire.Transcript{Probe: c.Probe}
		}
	}
	for _, a := range All() {
		for _, o := range a.Judge(ev, nil) {
			if o.Status != verdict.Error && o.Status != verdict.Unsupported {
				t.Errorf("%s is %s on an empty transcript", o.Claim, o.Status)
			}
		}
	}
}
