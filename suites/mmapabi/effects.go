package mmapabi

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// pages is the number of pages of the mappings in the bit steps.
const pages = 16

// askedForHugePages expects what MAP_HUGETLB gives: huge pages if some are reserved, and
// else an error. It depends on whether the kernel has huge pages at all.
func askedForHugePages(g gomega.Gomega, t claim.Transcript, a abi.Table, o claim.Observation) {
	if o.OK() && reserved(t) {
		number := t.Step(bitStep(a.Map.HugeTLB))
		expect.OK(g, number)
		g.Expect(number.Words("vmflags")).To(gomega.ContainElement("ht"), "%s: VmFlags, with huge pages reserved", number.Step)
		return
	}
	if !t.Step("environment").Has("hugepages") {
		// Without a size of huge pages the machine has none (s390x without EDAT), or the
		// kernel is built without.
		refused(g, o)
		return
	}
	expect.Errno(g, a, o, "ENOMEM")
}

// reserved reports whether huge pages are reserved.
func reserved(t claim.Transcript) bool {
	o := t.Step("environment")
	return o.Has("hugepages") && o.Int("hugepages") != 0
}

func effectClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MF-020", Level: verdict.Must,
			English:  "MAP_POPULATE puts all pages into memory at once, and with MAP_NONBLOCK none.",
			Chinese:  "MAP_POPULATE 立即将所有页放入内存，与 MAP_NONBLOCK 并用时一页也不放。",
			Source:   "mmap(2): MAP_POPULATE, populate (prefault) page tables for a mapping; MAP_NONBLOCK, since Linux 2.6.23 this flag causes MAP_POPULATE to do nothing; mincore(2)",
			UserMode: claim.HostMaps,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				g.Expect(t.Step("plain").Int("resident")).To(gomega.BeZero(), "resident without MAP_POPULATE")
				o := t.Step(bitStep(a.Map.Populate))
				expect.OK(g, o)
				g.Expect(o.Int("resident")).To(gomega.Equal(pages), "resident with MAP_POPULATE")
				o = t.Step("populate and nonblock")
				expect.OK(g, o)
				g.Expect(o.Int("resident")).To(gomega.BeZero(), "resident with MAP_POPULATE and MAP_NONBLOCK")
			}),
		},
		{
			ID: "MF-021", Level: verdict.Must,
			English:  "MAP_LOCKED beyond RLIMIT_MEMLOCK is refused for a user with EAGAIN, and with EPERM when the limit is 0; root with CAP_IPC_LOCK over the machine is granted it in both cases, and its pages are in memory.",
			Chinese:  "普通用户的 MAP_LOCKED 超出 RLIMIT_MEMLOCK 时以 EAGAIN 拒绝，限制为 0 时以 EPERM 拒绝；在整个系统拥有 CAP_IPC_LOCK 的 root 在两种情况下均被允许，且页驻留内存。",
			Source:   "mmap(2): EAGAIN, too much memory has been locked (see setrlimit(2)), and MAP_LOCKED, locked in the same way as mlock(2); mlock(2), ERRORS: EPERM, the caller is not privileged, but needs privilege (CAP_IPC_LOCK), unlike below a nonzero RLIMIT_MEMLOCK; capabilities(7): CAP_IPC_LOCK",
			Features: []claim.Feature{feature.AnotherLocker()},
			UserMode: claim.HostMemory,
			Check:    expect.WithTable(checkLimitOfLocks),
		},
		{
			ID: "MF-022", Level: verdict.Must,
			English:  "MAP_NONBLOCK, MAP_DENYWRITE, MAP_EXECUTABLE and MAP_UNINITIALIZED change nothing about a private anonymous mapping.",
			Chinese:  "MAP_NONBLOCK、MAP_DENYWRITE、MAP_EXECUTABLE 和 MAP_UNINITIALIZED 不改变私有匿名映射的任何性质。",
			Source:   "mmap(2): MAP_DENYWRITE and MAP_EXECUTABLE, this flag is ignored; MAP_NONBLOCK is meaningful only in conjunction with MAP_POPULATE; MAP_UNINITIALIZED is for kernels with CONFIG_MMAP_ALLOW_UNINITIALIZED, and for what pages hold",
			UserMode: claim.HostMaps,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				plain := t.Step("plain")
				expect.OK(g, plain)
				for _, bit := range []uint64{a.Map.NonBlock, a.Map.DenyWrite, a.Map.Executable, a.Map.Uninitialized} {
					if bit == 0 {
						continue // not defined here
					}
					o := t.Step(bitStep(bit))
					expect.OK(g, o)
					g.Expect(o.Words("vmflags")).To(gomega.Equal(plain.Words("vmflags")), "%s: VmFlags", o.Step)
					g.Expect(o.Value("perms")).To(gomega.Equal(plain.Value("perms")), "%s: permissions", o.Step)
					g.Expect(o.Int("resident")).To(gomega.Equal(plain.Int("resident")), "%s: resident", o.Step)
				}
			}),
		},
		{
			ID: "MF-023", Level: verdict.Must,
			English:  "MAP_NORESERVE marks a mapping nr and takes it out of the accounting (ac), unless vm.overcommit_memory is 2.",
			Chinese:  "除非 vm.overcommit_memory 为 2，MAP_NORESERVE 将映射标记为 nr 并将其排除在记账（ac）之外。",
			Source:   "mmap(2): MAP_NORESERVE, do not reserve swap space for this mapping; Documentation/filesystems/proc.rst, VmFlags: nr and ac; Documentation/mm/overcommit-accounting.rst: mode 2 counts such mappings too",
			UserMode: claim.HostMaps,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				g.Expect(t.Step("plain").Words("vmflags")).To(gomega.ContainElement("ac"), "VmFlags without MAP_NORESERVE")
				o := t.Step(bitStep(a.Map.NoReserve))
				expect.OK(g, o)
				if t.Step("environment").Int("overcommit") == 2 {
					g.Expect(o.Words("vmflags")).To(gomega.ContainElement("ac"), "VmFlags under strict accounting")
					return
				}
				g.Expect(o.Words("vmflags")).To(gomega.ContainElement("nr"), "VmFlags")
				g.Expect(o.Words("vmflags")).NotTo(gomega.ContainElement("ac"), "VmFlags")
			}),
		},
		{
			ID: "MF-024", Level: verdict.Must,
			English:  "MAP_HUGETLB gives huge pages (ht) if some are reserved and free, and is else refused, with ENOMEM where the machine has huge pages.",
			Chinese:  "有预留且空闲的大页时 MAP_HUGETLB 给出大页（ht），否则被拒绝；机器具有大页时以 ENOMEM 拒绝。",
			Source:   "mmap(2): MAP_HUGETLB, allocate the mapping using huge pages, and ERRORS: ENOMEM, no memory is available; Documentation/admin-guide/mm/hugetlbpage.rst; Documentation/filesystems/proc.rst, VmFlags: ht",
			UserMode: claim.HostMemory,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				askedForHugePages(g, t, a, t.Step("hugetlb"))
			}),
		},
		{
			ID: "MF-114", Level: verdict.Should, // no manual has the errors, and a vendor may use bits of the size
			English:  "MAP_HUGETLB is refused with EINVAL for an ordinary file and for a size of 32 bytes, which no page has, and with ENOENT or EINVAL where the machine has no huge pages.",
			Chinese:  "对普通文件以及 32 字节的页大小（不存在这样的页），MAP_HUGETLB 以 EINVAL 拒绝；机器没有大页时以 ENOENT 或 EINVAL 拒绝。",
			Source:   "ksys_mmap_pgoff in mm/mmap.c and hugetlb_file_setup in fs/hugetlbfs/inode.c (4.19 to 7.3); openEuler's kernels for Ascend take some bits of the size for a mask of nodes",
			UserMode: claim.HostMemory,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				if !t.Step("environment").Has("hugepages") {
					anyErrno(g, a, t.Step("hugetlb"), []string{"ENOENT", invalid})
				}
				expect.Errno(g, a, t.Step("hugetlb of 32 bytes"), invalid)
				expect.Errno(g, a, t.Step("hugetlb file"), invalid)
			}),
		},
		{
			ID: "MF-025", Level: verdict.Must,
			English:  "MAP_HUGETLB of an ordinary file is refused.",
			Chinese:  "对普通文件使用 MAP_HUGETLB 会被拒绝。",
			Source:   "mmap(2): MAP_HUGETLB, allocate the mapping using huge pages, which an ordinary file does not have",
			UserMode: claim.HostMemory,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				refused(g, t.Step("hugetlb file"))
			},
		},
		{
			ID: "MF-109", Level: verdict.Must,
			English:  "The architecture's MADV_DONTNEED throws pages away, and the numbers it has on other architectures do not.",
			Chinese:  "本架构的 MADV_DONTNEED 丢弃页面，它在其他架构上的数值则不会。",
			Source:   "madvise(2): MADV_DONTNEED, later accesses find zero-fill-on-demand pages; the number is in arch/*/include/uapi/asm/mman.h, and include/uapi/asm-generic/mman-common.h has what others mean",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, other := range abi.All() {
					advice := other.Madv.DontNeed
					o := t.Step(fmt.Sprintf("madvise %d", advice))
					if advice == a.Madv.DontNeed {
						expect.OK(g, o)
						g.Expect(o.Int("byte")).To(gomega.BeZero(), "%s: what the page holds", o.Step)
					} else {
						g.Expect(o.Int("byte")).To(gomega.Equal(1), "%s: what the page holds", o.Step)
					}
				}
			}),
		},
	}
}

// anyErrno expects one of several errors, where kernels differ for a reason.
func anyErrno(g gomega.Gomega, a abi.Table, o claim.Observation, names []string) {
	for _, name := range names {
		if !o.OK() && o.Errno == a.Errno(name) {
			names = []string{name}
		}
	}
	expect.Errno(g, a, o, names[0])
}

// checkLimitOfLocks expects MAP_LOCKED of root to be granted as mlock is: root of a user
// namespace, and root without capabilities, is a user to RLIMIT_MEMLOCK.
func checkLimitOfLocks(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts) {
	refused := func(who string) {
		expect.Errno(g, a, t.Step("locked."+who+" over the limit"), "EAGAIN")
		expect.Errno(g, a, t.Step("locked."+who+" with limit 0"), "EPERM")
	}
	if t.Step("locked.root over the limit").Values["mlock"] == "ENOMEM" {
		refused("root")
	} else {
		for _, step := range []string{"locked.root over the limit", "locked.root with limit 0"} {
			o := t.Step(step)
			expect.OK(g, o)
			g.Expect(o.Int("resident")).To(gomega.Equal(4), "step %s: resident", step)
		}
	}
	if user := t.Step("locked.user"); f.UID != 0 || feature.NotBecome(user.Observation) == "" {
		user.Result()
		refused("user")
	}
}
