package history

import "github.com/mapstack/conformance/harness/judge/facts"

// Droppable reports whether mmap knows MAP_DROPPABLE: commit 9651fcedf7b9
// (6.11). Observed: EINVAL on 4.19.90, 5.10 and 6.1, accepted on 6.12 and later.
func Droppable(f facts.Facts) bool { return f.Release.AtLeast(6, 11, 0) }

// AlignsHugePages reports whether mmap aligns an anonymous mapping as long as
// huge pages to them: commit efa7df3e3bb5 (6.7), with
// CONFIG_TRANSPARENT_HUGEPAGE, whatever the machine can do. Observed: not on
// 4.19.90, 5.10 and 6.1, on 6.12 and later.
func AlignsHugePages(f facts.Facts) bool { return f.THP && f.Release.AtLeast(6, 7, 0) }

// AlignsLongMappings reports whether mmap also aligns anonymous mappings that
// are longer than a huge page but no multiple of it: until commit d4148aeab412
// (6.12). Observed: not on 4.19.90, 5.10, 6.1, 6.12 and later; nothing
// between 6.1 and 6.12 was booted.
func AlignsLongMappings(f facts.Facts) bool {
	return AlignsHugePages(f) && !f.Release.AtLeast(6, 12, 0)
}

// RISCVWindow reports whether riscv keeps mappings without a hint below 2^47, so that
// pointers have room for tags: commit add2cc6b6515 (6.6). Before, they reach to the end
// of the address space. Observed: on 6.12 and later; nothing before was booted.
func RISCVWindow(f facts.Facts) bool { return f.Release.AtLeast(6, 6, 0) }
