package mmapabi

import (
	"slices"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// The bits of a flag word that the probe tries one by one: every MAP_* flag of
// every architecture in poc/abi, and the numbers between them.
const (
	firstBit = 4
	lastBit  = 26
)

// each calls body for every number whose mapping must exist. MAP_HUGETLB is left
// out: it has a claim of its own. So is a number without a name that is refused: it does
// nothing at all, and MF-125 is about it.
func each(g gomega.Gomega, t claim.Transcript, a abi.Table, body func(o claim.Observation, bit uint64)) {
	for n := firstBit; n <= lastBit; n++ {
		bit := uint64(1) << n
		if bit == a.Map.HugeTLB {
			continue
		}
		o := t.Step(bitStep(bit))
		if !named(a, bit) && !o.OK() {
			continue
		}
		expect.OK(g, o)
		body(o, bit)
	}
}

// marks makes a check that a mapping carries a flag in VmFlags with one of the
// architecture's numbers and with no other.
func marks(flag string, number func(m abi.Map) uint64) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
		g.Expect(t.Step("plain").Words("vmflags")).NotTo(gomega.ContainElement(flag), "VmFlags without any flag")
		each(g, t, a, func(o claim.Observation, bit uint64) {
			marked := slices.Contains(o.Words("vmflags"), flag)
			g.Expect(marked).To(gomega.Equal(bit == number(a.Map)), "%s: %s among VmFlags %q", o.Step, flag, o.Value("vmflags"))
		})
	})
}

// uapi is where the numbers are documented.
const uapi = "arch/*/include/uapi/asm/mman.h for the number; "

func numberClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MF-101", Level: verdict.Must,
			English:  "The architecture's MAP_ANONYMOUS makes memory without a file, and no other number does: EBADF.",
			Chinese:  "本架构的 MAP_ANONYMOUS 给出没有文件的内存，其他数值都不会：EBADF。",
			Source:   uapi + "mmap(2): MAP_ANONYMOUS, and ERRORS: EBADF, fd is not a valid file descriptor and MAP_ANONYMOUS was not set",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				rows(g, t.Step("plain"), "EBADF", "bare")
				each(g, t, a, func(o claim.Observation, bit uint64) {
					want := "EBADF"
					if bit == a.Map.Anonymous {
						want = ok
					}
					rows(g, o, want, "bare")
				})
			}),
		},
		{
			ID: "MF-102", Level: verdict.Must,
			English:  "The architecture's MAP_POPULATE and MAP_LOCKED put all pages into memory, and every other number none.",
			Chinese:  "本架构的 MAP_POPULATE 和 MAP_LOCKED 将所有页放入内存，其他数值一页也不放。",
			Source:   uapi + "mmap(2): MAP_POPULATE, prefault page tables for a mapping, and MAP_LOCKED, which populates too; mincore(2); 0x20000 is MAP_POPULATE on alpha and sw64",
			UserMode: claim.HostMaps,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				g.Expect(t.Step("plain").Int("resident")).To(gomega.BeZero(), "resident without any flag")
				each(g, t, a, func(o claim.Observation, bit uint64) {
					want := 0
					if bit == a.Map.Populate || bit == a.Map.Locked {
						want = pages
					}
					g.Expect(o.Int("resident")).To(gomega.Equal(want), "%s: resident", o.Step)
				})
			}),
		},
		{
			ID: "MF-103", Level: verdict.Must,
			English:  "The architecture's MAP_LOCKED locks a mapping (lo), and no other number does.",
			Chinese:  "本架构的 MAP_LOCKED 锁定映射（lo），其他数值都不会。",
			Source:   uapi + "mmap(2): MAP_LOCKED, locked in the same way as mlock(2); Documentation/filesystems/proc.rst, VmFlags: lo",
			UserMode: claim.HostMaps,
			Check:    marks("lo", func(m abi.Map) uint64 { return m.Locked }),
		},
		{
			ID: "MF-105", Level: verdict.Must,
			English:  "The architecture's MAP_GROWSDOWN makes a mapping grow (gd), and no other number does.",
			Chinese:  "本架构的 MAP_GROWSDOWN 使映射可增长（gd），其他数值都不会。",
			Source:   uapi + "mmap(2): MAP_GROWSDOWN, the mapping should extend downward; Documentation/filesystems/proc.rst, VmFlags: gd",
			UserMode: claim.HostMaps,
			Check:    marks("gd", func(m abi.Map) uint64 { return m.GrowsDown }),
		},
		{
			ID: "MF-104", Level: verdict.Must,
			English:  "No number but the architecture's MAP_NORESERVE takes a mapping out of the accounting (nr).",
			Chinese:  "除本架构的 MAP_NORESERVE 外，没有数值会使映射脱离记账（nr）。",
			Source:   uapi + "mmap(2): MAP_NORESERVE, do not reserve swap space; Documentation/filesystems/proc.rst, VmFlags: nr",
			UserMode: claim.HostMaps,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				each(g, t, a, func(o claim.Observation, bit uint64) {
					if bit != a.Map.NoReserve {
						g.Expect(o.Words("vmflags")).NotTo(gomega.ContainElement("nr"), "%s: VmFlags", o.Step)
					}
				})
			}),
		},
		{
			ID: "MF-106", Level: verdict.Must,
			English:  "The architecture's MAP_HUGETLB asks for huge pages, which it gets if some are free, and every other number that has a name is accepted.",
			Chinese:  "本架构的 MAP_HUGETLB 请求大页（有空闲大页时得到），其他有名字的数值均被接受。",
			Source:   uapi + "mmap(2): MAP_HUGETLB, allocate the mapping using huge pages, and the meaning of every other flag",
			UserMode: claim.HostMemory,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				askedForHugePages(g, t, a, t.Step(bitStep(a.Map.HugeTLB)))
				each(g, t, a, func(claim.Observation, uint64) {}) // each expects success
			}),
		},
		{
			ID: "MF-107", Level: verdict.Must,
			English:  "On an occupied address the architecture's MAP_FIXED replaces, its MAP_FIXED_NOREPLACE refuses with EEXIST, and every other number leaves what is there.",
			Chinese:  "地址被占用时，本架构的 MAP_FIXED 替换它，MAP_FIXED_NOREPLACE 以 EEXIST 拒绝，其他数值都保留原有内容。",
			Source:   uapi + "mmap(2): MAP_FIXED, the overlapped part will be discarded; MAP_FIXED_NOREPLACE, EEXIST; without them the kernel picks a new address if another mapping already exists",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				each(g, t, a, func(o claim.Observation, bit uint64) {
					occupied, kept := "elsewhere", stored
					switch bit {
					case a.Map.Fixed:
						occupied, kept = "replaced", "0"
					case a.Map.FixedNoReplace:
						occupied = "EEXIST"
					}
					rows(g, o, ok, "stored")
					rows(g, o, occupied, "occupied")
					rows(g, o, kept, "kept")
				})
			}),
		},
		{
			ID: "MF-108", Level: verdict.Must,
			English:  "No number but the architecture's MAP_STACK keeps a mapping from huge pages (nh), whatever it means on other architectures.",
			Chinese:  "除本架构的 MAP_STACK 外，没有数值会使映射避开大页（nh），无论它在其他架构上是什么含义。",
			Source:   uapi + "mmap(2) gives no other flag a say in huge pages but MAP_HUGETLB; Documentation/filesystems/proc.rst, VmFlags: nh; MAP_STACK, which sets it since 6.8 (commit c4608d1bf7c6), is 0x20000, 0x40000 or 0x80000",
			UserMode: claim.HostMaps,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.OK(g, t.Step(bitStep(a.Map.Stack)))
				each(g, t, a, func(o claim.Observation, bit uint64) {
					if bit != a.Map.Stack {
						g.Expect(o.Words("vmflags")).NotTo(gomega.ContainElement("nh"), "%s: VmFlags", o.Step)
					}
				})
			}),
		},
	}
}
