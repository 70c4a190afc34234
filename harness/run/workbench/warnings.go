package workbench

import (
	"sort"
	"sync"

	"github.com/mapstack/conformance/harness/progress"
)

// warnings passes events on, and keeps every warning for the report.
type warnings struct {
	next progress.Sink

	mu   sync.Mutex
	seen map[string]bool
}

func (w *warnings) sink(e progress.Event) {
	if e.Stage == progress.Warning {
		w.mu.Lock()
		if w.seen == nil {
			w.seen = map[string]bool{}
		}
		w.seen[e.What] = true
		w.mu.Unlock()
	}
	w.next(e)
}

// list returns the warnings, sorted.
func (w *warnings) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for text := range w.seen {
		all = append(all, text)
	}
	sort.Strings(all)
	return all
}
