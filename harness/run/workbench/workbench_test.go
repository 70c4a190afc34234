package workbench

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/progress"
)

// TestAWrongMirrorIsSaidAtOnce fails if a mistyped MAPSTACK_MIRROR ends in "no mirror is
// known", without the reason.
func TestAWrongMirrorIsSaidAtOnce(t *testing.T) {
	t.Setenv("MAPSTACK_MIRROR", "nonsense")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var said []string
	bench, err := Open(t.Context(), Options{Dir: ".", Data: fixtures.FS(), Sink: func(e progress.Event) { said = append(said, e.What) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "nonsense") {
		t.Errorf("said %q", said)
	}
	if !slices.Equal(bench.warnings.list(), said) {
		t.Errorf("the report would say %q", bench.warnings.list())
	}
}

// TestWarningsOfARunAreSortedAndSaidOnce fails if the reports of two equal runs could differ
// in the order of their warnings.
func TestWarningsOfARunAreSortedAndSaidOnce(t *testing.T) {
	w := &warnings{next: progress.Discard}
	var group sync.WaitGroup
	for _, text := range []string{"b", "a", "b", "c"} {
		group.Go(func() { w.sink(progress.Event{Stage: progress.Warning, What: text}) })
	}
	group.Wait()
	w.sink(progress.Event{Stage: progress.Boot, What: "q35"})
	if got := strings.Join(w.list(), " "); got != "a b c" {
		t.Errorf("warnings %q", got)
	}
}
