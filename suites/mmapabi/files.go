package mmapabi

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// fileClaims are about flags that are rarely used with files.
func fileClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MF-116", Level: verdict.Must,
			English:  "A file can be mapped with MAP_POPULATE, MAP_NORESERVE and MAP_LOCKED, as MAP_SHARED and as MAP_PRIVATE.",
			Chinese:  "文件可以带 MAP_POPULATE、MAP_NORESERVE 和 MAP_LOCKED 映射，MAP_SHARED 和 MAP_PRIVATE 均可。",
			Source:   "mmap(2): MAP_POPULATE, for a file mapping, and for private mappings since Linux 2.6.23; MAP_NORESERVE, before Linux 2.6 for private writable mappings alone; MAP_LOCKED, the mmap() call does not fail if populating fails",
			Features: []claim.Feature{feature.Lockable()},
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, kind := range []string{"shared", "private"} {
					rows(g, t.Step("flags of a "+kind+" file"), ok, "populate", "noreserve", "locked")
				}
			},
		},
		{
			ID: "MF-117", Level: verdict.Must,
			English:  "MAP_FIXED_NOREPLACE maps a file exactly at a free address, and refuses an occupied one with EEXIST without harm.",
			Chinese:  "MAP_FIXED_NOREPLACE 将文件精确映射到空闲地址；地址被占用时以 EEXIST 拒绝且不造成损坏。",
			Source:   "mmap(2): MAP_FIXED_NOREPLACE enforces the address as MAP_FIXED does and never clobbers a preexisting mapped range, and ERRORS: EEXIST",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("noreplace file free")
				expect.OK(g, o)
				g.Expect(o.Result()).To(gomega.Equal(o.Uint("asked")), "the address asked for")
				rows(g, o, ok, "store")
				o = t.Step("noreplace file occupied")
				expect.Errno(g, a, o, "EEXIST")
				rows(g, o, stored, "kept")
			}),
		},
		{
			ID: "MF-118", Level: verdict.Should, // no manual says what becomes of the flag
			English:  "MAP_GROWSDOWN is refused with EINVAL for shared memory and for files, also with MAP_SHARED_VALIDATE.",
			Chinese:  "MAP_GROWSDOWN 用于共享内存和文件时以 EINVAL 拒绝，与 MAP_SHARED_VALIDATE 并用时亦然。",
			Source:   "do_mmap in mm/mmap.c (4.19 to 7.3)",
			UserMode: claim.HostGrowth,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, step := range []string{"shared anonymous", "private file", "shared file", "validated file"} {
					expect.Errno(g, a, t.Step("growsdown "+step), invalid)
				}
			}),
		},
		{
			ID: "MF-119", Level: verdict.Should, // mmap(2): the offset should be zero
			English:  "mmap ignores the offset of private anonymous memory.",
			Chinese:  "mmap 忽略私有匿名内存的偏移。",
			Source:   "do_mmap in mm/mmap.c (4.19 to 7.3): pgoff becomes the address",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("anonymous with an offset")
				expect.OK(g, o)
				rows(g, o, ok, "store")
			},
		},
	}
}
