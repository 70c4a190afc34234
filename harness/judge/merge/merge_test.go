package merge

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
)

// all are the cells of the run that the shards below are parts of.
var all = []string{"c", "a", "b", "d"}

// shard returns a shard of a run with some cells.
func shard(folder string, index int, cells ...string) Part {
	start := time.Unix(1e9, 0).UTC()
	p := Part{Folder: folder, Flags: map[string][]string{"fresh": {"true"}}, Run: evidence.Run{Version: "1", Revision: "r", Started: start.Add(time.Duration(index) * time.Minute),
		Finished: start.Add(time.Hour + time.Duration(index)*time.Minute), Shard: &evidence.Shard{Index: index, Of: 2, Cells: all}, CPUSeconds: 1, ResidentBytes: int64(index), Warnings: []string{"w"}}}
	for _, name := range cells {
		c := matrix.Cell{Name: name}
		p.Run.Cells = append(p.Run.Cells, c)
		p.Cells = append(p.Cells, evidence.CellRun{Cell: c, Seconds: float64(index)})
	}
	return p
}

func TestShardsMakeTheRunThatTheyArePartsOf(t *testing.T) {
	one, two := shard("one", 1, "c", "b"), shard("two", 2, "a", "d")
	for _, parts := range [][]Part{{one, two}, {two, one}} {
		whole, cells, err := Join(parts)
		if err != nil {
			t.Fatal(err)
		}
		want := evidence.Run{Version: "1", Revision: "r", Started: one.Run.Started, Finished: two.Run.Finished, CPUSeconds: 2, ResidentBytes: 2, Warnings: []string{"w"}}
		for i, name := range all {
			want.Cells = append(want.Cells, matrix.Cell{Name: name})
			if cells[i].Cell.Name != name || cells[i].Seconds == 0 {
				t.Errorf("cell %d is %+v, want %s with its evidence", i, cells[i], name)
			}
		}
		if d := cmp.Diff(want, whole); d != "" {
			t.Error(d)
		}
	}
}

// TestShardsOfAMatrixFileKeepItsKnownFailures fails if the whole run forgets which of its cells
// are from a file, or if shards of different files make one.
func TestShardsOfAMatrixFileKeepItsKnownFailures(t *testing.T) {
	file := func(cells ...string) *evidence.Matrix {
		return &evidence.Matrix{File: "mapstack.yaml", Cells: cells, Known: []matrix.KnownFailure{{Claim: "MS-003"}}}
	}
	one, two := shard("one", 1, "c", "b"), shard("two", 2, "a", "d")
	one.Run.Matrix = file("b")
	for want, other := range map[string]*evidence.Matrix{"b": nil, "a b d": file("d", "a")} {
		two.Run.Matrix = other
		whole, _, err := Join([]Part{two, one})
		if err != nil || strings.Join(whole.Matrix.Cells, " ") != want || len(whole.Matrix.Known) != 1 {
			t.Errorf("%+v, %v, want the cells %s", whole.Matrix, err, want)
		}
	}
	two.Run.Matrix = file("a")
	two.Run.Matrix.Deviations = []matrix.Deviation{{Claim: "MS-010"}}
	if _, _, err := Join([]Part{one, two}); err == nil || !strings.Contains(err.Error(), "their matrix files mapstack.yaml and mapstack.yaml differ") {
		t.Errorf("files with other deviations: %v", err)
	}
	two.Run.Matrix = &evidence.Matrix{File: "mapstack.yaml", Cells: []string{"a"}}
	if _, _, err := Join([]Part{one, two}); err == nil || !strings.Contains(err.Error(), "their matrix files mapstack.yaml and mapstack.yaml differ") {
		t.Errorf("files with other known failures: %v", err)
	}
}

func TestRunsOfDifferentCellsMakeOne(t *testing.T) {
	one, two := shard("one", 1, "x"), shard("two", 2, "y")
	one.Run.Shard, two.Run.Shard = nil, nil
	two.Flags = map[string][]string{"cell": {"y"}}
	whole, cells, err := Join([]Part{one, two})
	if err != nil || len(cells) != 2 || whole.Cells[0].Name != "x" || whole.Cells[1].Name != "y" {
		t.Errorf("%+v, %v", whole.Cells, err)
	}
}

// TestNothingElseIsMerged fails if a run is made of parts that do not belong together, or if a
// cell is lost or counted twice.
func TestNothingElseIsMerged(t *testing.T) {
	for want, change := range map[string]func(one, two *Part){
		`the version of the suites is "1" in the first and "2"`:                      func(_, two *Part) { two.Run.Version = "2" },
		`the revision of mapstack is "r" in the first and "s"`:                       func(_, two *Part) { two.Run.Revision = "s" },
		`the focus is "" in the first and "MS-003"`:                                  func(_, two *Part) { two.Run.Focus = "MS-003" },
		`the injected defect is "d" in the first and ""`:                             func(one, _ *Part) { one.Run.Defect = "d" },
		`the product is "" in the first and "O, P 1"`:                                func(_, two *Part) { two.Run.Product = &evidence.Product{Organisation: "O", Name: "P", Version: "1"} },
		`the number of shards is "2" in the first and "3"`:                           func(_, two *Part) { two.Run.Shard.Of = 3 },
		`the number of shards is "2" in the first and "not sharded"`:                 func(_, two *Part) { two.Run.Shard = nil },
		"parts of different selections of cells":                                     func(_, two *Part) { two.Run.Shard.Cells = []string{"c", "a", "b"} },
		`--fresh is ["true"] in the first and [] in the second`:                      func(_, two *Part) { two.Flags = nil },
		"one and two both have cell c; leave one of them out":                        func(one, two *Part) { *two = shard("two", 1, "c", "b") },
		"no folder has cell d, which the run is about: the shards that are there":    func(_, two *Part) { *two = shard("two", 2, "a") },
		"no folder has cell a, cell d, which the run is about: shard 2/2 is missing": func(one, two *Part) { *two = shard("two", 1) },
		"two has cell e, and the run that it is a shard of has no such cell":         func(_, two *Part) { *two = shard("two", 2, "a", "d", "e") },
		"the run in two was stopped before cell a ended; go on with it first: mapstack run --resume two": func(_, two *Part) {
			two.Cells[0].Failure = &failure.Failure{Kind: failure.Interrupted}
		},
		"the run in one was stopped before cell c ended": func(one, _ *Part) { one.Run.Finished = time.Time{} },
	} {
		one, two := shard("one", 1, "c", "b"), shard("two", 2, "a", "d")
		change(&one, &two)
		if _, _, err := Join([]Part{one, two}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, _, err := Join(nil); err == nil || !strings.Contains(err.Error(), "nothing to merge") {
		t.Error(err)
	}
}
