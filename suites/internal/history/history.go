// Package history knows what released kernels do differently, each change with
// its first commit. A check uses it only as a cross-check: what a kernel shows
// decides. A kernel that shows what its version should not have carries a
// back-port, which is a deviation with a reason. Every function also knows the kernels of
// 4.19 and 5.4; what they were seen to do comes from a 4.19.90 that was built for amd64.
package history

import (
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/matrix/release"
)

// StackNoHugepage reports whether MAP_STACK sets VM_NOHUGEPAGE: since commit
// c4608d1bf7c6 (6.8; stable 6.7.6, not 6.6.y); where commit 7190b3c8bd2b (6.15;
// stable 6.12.31) is present as well, only with CONFIG_TRANSPARENT_HUGEPAGE.
func StackNoHugepage(f facts.Facts) bool {
	r := f.Release
	always := r.AtLeast(6, 8, 0) || series(r, 6, 7) && r.AtLeast(6, 7, 6)
	onlyTHP := r.AtLeast(6, 15, 0) || series(r, 6, 12) && r.AtLeast(6, 12, 31)
	return always && (f.THP || !onlyTHP)
}

// GuardRegions reports whether madvise knows MADV_GUARD_INSTALL: commit
// 662df3e5c376 (6.13). Observed: EINVAL on 4.19.90.
func GuardRegions(f facts.Facts) bool { return f.Release.AtLeast(6, 13, 0) }

// DenyWriteExecute reports whether prctl knows PR_SET_MDWE: commit b507808ebce2
// (6.3). Observed: EINVAL on 4.19.90.
func DenyWriteExecute(f facts.Facts) bool { return f.Release.AtLeast(6, 3, 0) }

func series(r release.Release, major, minor int) bool { return r.Major == major && r.Minor == minor }
