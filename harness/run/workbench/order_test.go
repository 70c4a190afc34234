package workbench

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
)

// TestOnlyTheSameRunIsGoneOnWith fails if the rest of a run can be another one.
func TestOnlyTheSameRunIsGoneOnWith(t *testing.T) {
	was := func() evidence.Run {
		return evidence.Run{Version: "1", Revision: "r", Focus: "MS-003", Defect: "d", Shard: &evidence.Shard{Index: 1, Of: 2},
			Cells: []matrix.Cell{{Name: "a", Params: nil}, {Name: "b"}}}
	}
	for want, change := range map[string]func(r *evidence.Run){
		"": func(r *evidence.Run) { r.Shard = &evidence.Shard{Index: 1, Of: 2, Cells: []string{"a", "b", "c"}} },
		`with the version of the suites "1", and this is "2"`: func(r *evidence.Run) { r.Version = "2" },
		`with the revision of mapstack "r", and this is "s"`:  func(r *evidence.Run) { r.Revision = "s" },
		`with the focus "MS-003", and this is ""`:             func(r *evidence.Run) { r.Focus = "" },
		`with the defect "d", and this is "e"`:                func(r *evidence.Run) { r.Defect = "e" },
		`with the product "", and this is "O, P 1"`:           func(r *evidence.Run) { r.Product = &evidence.Product{Organisation: "O", Name: "P", Version: "1"} },
		`with the shard "1/2", and this is ""`:                func(r *evidence.Run) { r.Shard = nil },
		"about 2 cells, and the flags now select 1":           func(r *evidence.Run) { r.Cells = r.Cells[:1] },
		"about cell b, and cell b is not the same":            func(r *evidence.Run) { r.Cells[1].Memory = 512 },
		"about cell a, and cell b is not the same":            func(r *evidence.Run) { r.Cells[0], r.Cells[1] = r.Cells[1], r.Cells[0] },
	} {
		is := was()
		change(&is)
		err := continues(was(), is)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
