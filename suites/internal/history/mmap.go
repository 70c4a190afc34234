package history

import "github.com/mapstack/conformance/harness/facts"

// Droppable reports whether mmap knows MAP_DROPPABLE: commit 9651fcedf7b9
// (6.11). Observed: EINVAL on 5.10 and 6.1, accepted on 6.12 and later.
func Droppable(f facts.Facts) bool { return f.Release.AtLeast(6, 11, 0) }
