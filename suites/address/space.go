package address

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
	"github.com/mapstack/conformance/suites/internal/history"
)

// layout describes the address space of an architecture.
type layout struct {
	// beyond is the error for a fixed address outside of the address space:
	// ENOMEM from mm/mmap.c, unless the architecture's own
	// arch_get_unmapped_area checks first. Empty where no address is outside.
	beyond string
	// overflows reports that mappings without a hint go above the window when
	// the window is full.
	overflows bool
	// ignoresStackLimit reports that an unlimited stack does not make the layout
	// bottom-up.
	ignoresStackLimit bool
	// narrow reports whether a kernel has windows below the end of the address space;
	// nil for every kernel.
	narrow func(facts.Facts) bool
	pages  map[int]pages // by page size, bytes
}

// pages holds what depends on the page size.
type pages struct {
	// windows has, by log2 of the end of the address space, log2 of the end of the
	// range that mmap uses without a hint. Its keys are the sizes that the CPUs of the
	// architecture and the configurations of Linux give.
	windows  map[int]int
	hugePage uint64 // bytes that a PMD maps; 0 for no huge pages
}

// whole are address spaces that mmap uses to the end without a hint, of each number of
// bits from one to another.
func whole(from, to int) map[int]int {
	windows := map[int]int{}
	for bits := from; bits <= to; bits++ {
		windows[bits] = bits
	}
	return windows
}

// layoutOf returns the layout of an architecture, if it is known.
func layoutOf(goarch string) (layout, bool) {
	l, ok := map[string]layout{
		// arch/x86/mm/mmap.c: mmap_is_legacy does not look at the stack limit.
		"amd64": {beyond: "ENOMEM", ignoresStackLimit: true, pages: map[int]pages{4 << 10: {map[int]int{47: 47, 56: 47}, 2 << 20}}},
		// Documentation/arch/arm64/memory.rst; the number of bits is ARM64_VA_BITS of
		// arch/arm64/Kconfig. A kernel of 52 bits has the window of a CPU without them.
		"arm64": {beyond: "ENOMEM", pages: map[int]pages{
			4 << 10:  {map[int]int{39: 39, 48: 48, 52: 48}, 2 << 20},
			16 << 10: {map[int]int{36: 36, 47: 47, 48: 48, 52: 47}, 32 << 20},
			64 << 10: {map[int]int{42: 42, 48: 48, 52: 48}, 512 << 20},
		}},
		// arch/loongarch/mm/mmap.c: arch_get_unmapped_area_common. TASK_SIZE64 of
		// asm/processor.h is what the CPU has (VALEN less one, from 39 to 47 bits), or
		// what the levels of page tables have: 39 or 48 bits with pages of 4 KiB, 36 or
		// 47 with 16 KiB, 42 or 55 with 64 KiB. Kernels with 16 KiB were booted alone.
		"loong64": {beyond: "EINVAL", pages: map[int]pages{
			4 << 10: {whole(39, 48), 2 << 20}, 16 << 10: {whole(36, 47), 32 << 20}, 64 << 10: {whole(39, 55), 512 << 20},
		}},
		// arch/mips/mm/mmap.c: arch_get_unmapped_area_common. 40 bits, or what the CPU
		// has up to 48 with CONFIG_MIPS_VA_BITS_48.
		"mips64le": {beyond: "EINVAL", pages: map[int]pages{
			4 << 10: {whole(40, 48), 2 << 20}, 16 << 10: {whole(40, 48), 32 << 20}, 64 << 10: {whole(40, 48), 512 << 20},
		}},
		// Huge pages of the radix MMU, POWER9 and later.
		"ppc64le": {beyond: "ENOMEM", pages: map[int]pages{4 << 10: {whole(46, 46), 2 << 20}, 64 << 10: {map[int]int{52: 47}, 2 << 20}}},
		// Documentation/arch/riscv/vm-layout.rst: Sv39, Sv48 and Sv57.
		// arch/riscv/include/asm/processor.h: arch_get_mmap_end gives the whole
		// space to address 0, arch_get_mmap_base the window.
		"riscv64": {beyond: "ENOMEM", overflows: true, narrow: history.RISCVWindow, pages: map[int]pages{4 << 10: {map[int]int{38: 38, 47: 47, 56: 47}, 2 << 20}}},
		// arch/s390/mm/mmap.c: check_asce_limit adds levels of page tables.
		"s390x": {overflows: true, pages: map[int]pages{4 << 10: {map[int]int{64: 42}, 1 << 20}}},
		// arch/alpha/include/asm/processor.h.
		"alpha": {beyond: "ENOMEM", pages: map[int]pages{8 << 10: {whole(42, 42), 0}}},
		// arch/sw_64/mm/mmap.c and processor.h of openEuler; not booted.
		"sw64": {beyond: "EINVAL", pages: map[int]pages{8 << 10: {map[int]int{47: 47, 52: 47}, 8 << 20}}},
	}[goarch]
	return l, ok
}

// of returns the layout of the target's architecture and what depends on its page
// size. It stops the check if one of them is unknown.
func of(f facts.Facts) (layout, pages) {
	l, ok := layoutOf(f.Arch)
	if !ok {
		missing("facts", "arch", "nothing is known of the layout of %s", f.Arch)
	}
	p, ok := l.pages[f.PageSize]
	if !ok {
		missing("facts", "page size", "nothing is known of the layout of %s with pages of %d bytes", f.Arch, f.PageSize)
	}
	return l, p
}

// window returns log2 of the end of the range that mmap uses without a hint.
func window(f facts.Facts) int {
	l, p := of(f)
	end, ok := p.windows[bits(f)]
	switch {
	case !ok:
		missing("facts", "va.bits", "nothing is known of the window of %s in an address space of %d bits", f.Arch, bits(f))
	case l.narrow != nil && !l.narrow(f):
		return bits(f)
	}
	return end
}

// bits returns log2 of the end of the address space.
func bits(f facts.Facts) int {
	if f.VABits == 0 {
		missing("facts", "va.bits", "unknown")
	}
	return f.VABits
}

// hasBeyond excludes architectures whose address space holds every address.
func hasBeyond(a abi.Table) string {
	if l, ok := layoutOf(a.GOARCH); ok && l.beyond == "" {
		return "every address of 64 bits belongs to the user's address space"
	}
	return ""
}

func spaceClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "AD-012", Level: verdict.Must,
			English: "User memory can be mapped at every address that was tried below one power of two, up to its last page but one, and nothing above it; that power is one that the architecture has, and no smaller one.",
			Chinese: "在某个 2 的幂以下（直至倒数第二页）的每个被尝试的地址都能映射用户内存，其上则一个也不能；该幂是本架构所具有的之一，不会更小。",
			Source:  "the documented address spaces: Documentation/arch/x86/x86_64/mm.rst (47 and 56 bits), arm64/memory.rst, riscv/vm-layout.rst (38, 47, 56 bits); VALEN of the LoongArch manual; elsewhere TASK_SIZE of arch/*/include/asm/processor.h. Observed: 40 bits (mips64le), 47 (amd64 without LA57, loong64), 48 and 52 (arm64), 52 (ppc64le with 64 KiB pages), 56 (riscv64 sv57), 64 (s390x)",
			Check:   checkReach,
		},
		{
			ID: "AD-013", Level: verdict.Should,
			English:  "Without a hint mmap stays in the default window, a power of two below the end of the address space on most architectures, as long as that has room.",
			Chinese:  "没有提示地址时，只要默认窗口（在多数架构上是低于地址空间末端的 2 的幂）仍有空间，mmap 就不会越出该窗口。",
			Source:   "DEFAULT_MAP_WINDOW of arch/*/include/asm; observed on 5.10 to 7.3; a hint reaches further, and so does a full window on riscv64 and s390x, see AD-107",
			Features: []claim.Feature{feature.DefaultLayout()},
			Check:    checkWindow,
		},
		{
			ID: "AD-107", Level: verdict.Should,
			English:  "When the default window is full, a mapping without a hint fails with ENOMEM, or reaches above the window on riscv64 and s390x.",
			Chinese:  "默认窗口占满后，没有提示地址的映射以 ENOMEM 失败；在 riscv64 和 s390x 上则延伸到窗口之上。",
			Source:   "arch_get_mmap_end of riscv, check_asce_limit in arch/s390/mm/mmap.c; observed on every booted kernel",
			Features: []claim.Feature{feature.DefaultLayout()},
			Check:    checkFullWindow,
		},
		{
			ID: "AD-105", Level: verdict.Should,
			English: "A hint above the default window is honoured exactly wherever the address space reaches, and elsewhere gives another address and no error.",
			Chinese: "默认窗口之上的提示地址，凡地址空间所及之处均被精确采纳；超出之处则给出另一地址而不报错。",
			Source:  "mmap(2), Documentation/arch/x86/x86_64/5level-paging.rst; observed on every booted kernel",
			Check:   checkHighHints,
		},
		{
			ID: "AD-014", Level: verdict.Must,
			English:     "A fixed mapping beyond the end of the address space is refused with ENOMEM or EINVAL.",
			Chinese:     "超出地址空间末端的固定映射以 ENOMEM 或 EINVAL 拒绝。",
			Source:      "mmap(2), ERRORS: ENOMEM for an address that exceeds the virtual address space of the CPU, EINVAL for one that is too large; POSIX has ENOMEM for MAP_FIXED",
			Unsupported: claim.Where(hasBeyond),
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				checkBeyond(g, t, f, "ENOMEM", "EINVAL")
			},
		},
		{
			ID: "AD-108", Level: verdict.Should,
			English:     "The error for a fixed mapping beyond the end of the address space is ENOMEM, and EINVAL on loong64, mips64le and sw64.",
			Chinese:     "超出地址空间末端的固定映射，其错误为 ENOMEM；在 loong64、mips64le 和 sw64 上为 EINVAL。",
			Source:      "get_unmapped_area in mm/mmap.c of 4.19 to 7.3; arch_get_unmapped_area_common of loongarch and mips; arch/sw_64/mm/mmap.c of openEuler for sw64, not booted",
			Unsupported: claim.Where(hasBeyond),
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				l, _ := of(f)
				checkBeyond(g, t, f, l.beyond)
			},
		},
	}
}

func checkReach(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	t.Ended("space")
	_, p := of(f)
	end := bits(f)
	o := t.Step("space.reach")
	g.Expect(o.Int("bits")).To(gomega.Equal(end), "bits of the address space, against what facts saw")
	g.Expect(p.windows).To(gomega.HaveKey(end), "bits of the address spaces that %s has with pages of %d bytes", f.Arch, f.PageSize)
	for _, r := range reached(o) {
		if r.bits < end || r.bits == end && r.where == "last but one" {
			g.Expect(r.answer).To(gomega.Equal("ok"), "2^%d, %s", r.bits, r.where)
		} else if r.bits > end || r.where == "beyond" {
			g.Expect(r.answer).NotTo(gomega.Equal("ok"), "2^%d, %s", r.bits, r.where)
		}
	}
	exact(g, t.Step("space.highest"), "store")
}

// reach is the answer to a mapping near a power of two: at the last page but one
// below it, at the last page, or beyond it.
type reach struct {
	bits          int
	where, answer string
}

func reached(o claim.Observation) []reach {
	var all []reach
	for _, key := range slices.Sorted(maps.Keys(o.Values)) {
		answer := o.Values[key]
		number, where, ok := strings.Cut(key, " ")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(number)
		if err != nil {
			missing(o.Step, key, "%q is no number of bits", number)
		}
		all = append(all, reach{n, where, answer})
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].bits < all[j].bits || all[i].bits == all[j].bits && all[i].where < all[j].where
	})
	return all
}

func checkWindow(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	o := full(t)
	limit := uint64(1) << window(f)
	g.Expect(o.Uint("end")).To(gomega.BeNumerically("<=", limit), "the highest end of %s mappings", o.Value("mappings"))
	g.Expect(roomBelow(o, limit)).To(gomega.BeEmpty(), "room for another below 2^%d", window(f))
}

func checkFullWindow(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	o := full(t)
	l, _ := of(f)
	if room := roomBelow(o, 1<<window(f)); len(room) > 0 {
		missing(o.Step, "free", "the window is not full, room is left at %v", room)
	}
	if !l.overflows || bits(f) == window(f) {
		expect.Errno(g, expect.Table(f), o, "ENOMEM")
		return
	}
	expect.OK(g, o)
	// The mapping may begin in the rest of the window.
	g.Expect(o.Result()+o.Uint("length")).To(gomega.BeNumerically(">", uint64(1)<<window(f)), "%s: its end", o.Call)
}

// full returns the step that filled the window.
func full(t claim.Transcript) claim.Observation {
	t.Ended("window")
	return t.Step("window.full")
}

// roomBelow lists the free ranges below an address in which another mapping
// would surely have fitted: they are longer than it by some guard gaps.
func roomBelow(o claim.Observation, limit uint64) []string {
	const gaps = 1 << 30
	var room []string
	for _, r := range o.Words("free") {
		from, to, err := bounds(r)
		if err != nil {
			missing(o.Step, "free", "%v", err)
		}
		if to = min(to, limit); from < to && to-from >= o.Uint("length")+gaps {
			room = append(room, r)
		}
	}
	// The range above the highest mapping is free too.
	if from := o.Uint("highest"); from < limit && limit-from >= o.Uint("length")+gaps {
		room = append(room, fmt.Sprintf("%#x and up", from))
	}
	return room
}

func bounds(r string) (from, to uint64, err error) {
	first, last, ok := strings.Cut(r, "-")
	if !ok {
		return 0, 0, fmt.Errorf("%q is no range", r)
	}
	if from, err = strconv.ParseUint(first, 0, 64); err == nil {
		to, err = strconv.ParseUint(last, 0, 64)
	}
	return from, to, err
}

func checkHighHints(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	t.Ended("window")
	end := bits(f)
	for n := window(f); n < 64; n++ {
		o := t.Step(fmt.Sprintf("window.hint above 2^%d", n))
		if n < end {
			free(o)
			exact(g, o, "store")
			continue
		}
		expect.OK(g, o)
		g.Expect(o.Result()).NotTo(gomega.Equal(o.Uint("asked")), "step %s: %s", o.Step, o.Call)
		g.Expect(o.Result()).To(gomega.BeNumerically("<", uint64(1)<<end), "step %s: %s", o.Step, o.Call)
		usable(g, o, "store")
	}
}

// checkBeyond expects one of some errors for every fixed address beyond the end.
func checkBeyond(g gomega.Gomega, t claim.Transcript, f facts.Facts, errors ...string) {
	t.Ended("space")
	a, o := expect.Table(f), t.Step("space.beyond")
	g.Expect(o.OK()).To(gomega.BeFalse(), "step %s: %s succeeds", o.Step, o.Call)
	g.Expect(a.ErrnoName(o.Errno)).To(gomega.BeElementOf(errors), "step %s: %s", o.Step, o.Call)
	for _, r := range reached(t.Step("space.reach")) {
		if r.bits > bits(f) {
			g.Expect(r.answer).To(gomega.BeElementOf(errors), "2^%d, %s", r.bits, r.where)
		}
	}
}
