package suites

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/wire"
)

// TestJudgingAgainGivesTheSameBytes fails if a reason depends on the order of a map:
// the verdict on kept evidence would differ from the report that it came with. On a
// right kernel hardly any claim gives a reason, so damaged recordings are judged too.
func TestJudgingAgainGivesTheSameBytes(t *testing.T) {
	// Every cell has the same claims, so one of each family of numbers is enough.
	families := []string{"amd64-debian13bpo-newest", "mips64le-debian12-6.1-malta", "s390x-debian14-newest"}
	_, recorded, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, cell := range recorded {
		if slices.Contains(families, cell.Cell.Name) {
			found++
			t.Run(cell.Cell.Name, func(t *testing.T) { sameBytes(t, cell) })
		}
	}
	if found != len(families) {
		t.Errorf("%d of the cells %v are recorded", found, families)
	}
}

// sameBytes judges a cell in each of five states again and again, fifty times in all.
func sameBytes(t *testing.T, cell evidence.CellRun) {
	const times = 10
	for name, damage := range map[string]func(wire.Observation) (wire.Observation, bool){
		"as recorded":   func(o wire.Observation) (wire.Observation, bool) { return o, true },
		"without steps": func(o wire.Observation) (wire.Observation, bool) { return o, false },
		"other errors":  refusedAll,
		"other values":  turned,
		"nothing known": unknownAll,
	} {
		damaged := []evidence.CellRun{damagedBy(cell, damage)}
		first := judged(t, damaged)
		for range times - 1 {
			if again := judged(t, damaged); !bytes.Equal(first, again) {
				t.Errorf("%s: %s", name, difference(first, again))
				break
			}
		}
	}
}

// judged returns the outcomes of all claims as a report has them.
func judged(t *testing.T, cells []evidence.CellRun) []byte {
	t.Helper()
	outcomes, err := JudgeAll(cells, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(outcomes, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// difference returns the first lines that differ.
func difference(a, b []byte) string {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range x {
		if i >= len(y) || !bytes.Equal(x[i], y[i]) {
			return string(x[i]) + "\nand then\n" + string(bytes.Join(y[min(i, len(y)):min(i+1, len(y))], nil))
		}
	}
	return "the second is longer"
}

// damagedBy returns a copy of a cell in which every step is changed, except those of
// the facts, without which nothing is judged.
func damagedBy(cell evidence.CellRun, damage func(wire.Observation) (wire.Observation, bool)) evidence.CellRun {
	cell.Transcripts = maps.Clone(cell.Transcripts)
	for probe, tr := range cell.Transcripts {
		if probe == catalog.Facts || probe == catalog.Sysconf {
			continue
		}
		var kept []wire.Observation
		for _, o := range tr.Observations {
			if o, keep := damage(o); keep {
				kept = append(kept, o)
			}
		}
		tr.Observations = kept
		cell.Transcripts[probe] = tr
	}
	return cell
}

// refusedAll makes a call that succeeded fail, and the other way round.
func refusedAll(o wire.Observation) (wire.Observation, bool) {
	switch {
	case o.Ret != "":
		o.Ret, o.Errno, o.Error = "", 1, "EPERM"
	case o.Errno != 0:
		o.Ret, o.Errno, o.Error = "0x0", 0, ""
	}
	return o, true
}

// turned changes every value, and keeps numbers and answers plausible.
func turned(o wire.Observation) (wire.Observation, bool) {
	values := maps.Clone(o.Values)
	for key, value := range values {
		switch {
		case key == "exit" || key == "timedout":
		case value == "true":
			values[key] = "false"
		case value == "false":
			values[key] = "true"
		case value == "ok":
			values[key] = "EPERM"
		default:
			values[key] = value + "1"
		}
	}
	o.Values = values
	return o, true
}

func unknownAll(o wire.Observation) (wire.Observation, bool) {
	unknown := map[string]string{}
	for key := range o.Values {
		unknown[key] = "no permission"
	}
	o.Values, o.Unknown = nil, unknown
	return o, true
}
