package mmapabi

import (
	"fmt"
	"slices"
	"sort"
	"strconv"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
	"github.com/mapstack/conformance/suites/internal/history"
)

// Answers in the tables that the probe makes of many calls.
const (
	ok           = "ok"
	invalid      = "EINVAL"
	notSupported = "EOPNOTSUPP"
)

// all expects the same answer in every row of a table, without some. It stops the
// check if the table has no rows.
func all(g gomega.Gomega, o claim.Observation, answer string, except ...string) {
	skip := map[string]bool{}
	for _, key := range except {
		skip[key] = true
	}
	var keys []string
	for key := range o.Values {
		if !skip[key] {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	if len(keys) == 0 {
		panic(claim.Missing{Probe: probe, Step: o.Step, Reason: "the table has no rows"})
	}
	for _, key := range keys {
		g.Expect(o.Value(key)).To(gomega.Equal(answer), "step %s, %s", o.Step, key)
	}
}

// rows expects the same answer in some rows of a table.
func rows(g gomega.Gomega, o claim.Observation, answer string, keys ...string) {
	for _, key := range keys {
		g.Expect(o.Value(key)).To(gomega.Equal(answer), "step %s, %s", o.Step, key)
	}
}

// meaningless lists the bits from 0x200000 to 0x2000000 that have no name on an
// architecture, as the probe writes them.
func meaningless(a abi.Table) (keys []string) {
	for bit := uint64(0x200000); bit <= 0x2000000; bit <<= 1 {
		if !named(a, bit) {
			keys = append(keys, fmt.Sprintf("%#x", bit))
		}
	}
	return keys
}

// named reports whether a bit of mmap's flags has a name on an architecture.
func named(a abi.Table, bit uint64) bool {
	return slices.ContainsFunc(a.Map.Named(), func(c abi.Const) bool { return c.Name != "MAP_HUGE_SHIFT" && c.Value == bit })
}

// refused expects a call to fail, whatever its error is.
func refused(g gomega.Gomega, o claim.Observation) {
	g.Expect(o.OK()).To(gomega.BeFalse(), "step %s: %s succeeds", o.Step, o.Call)
}

// failure returns an error as Observation.Failure describes it.
func failure(a abi.Table, name string) string { return fmt.Sprintf("%s (%d)", name, a.Errno(name)) }

func ruleClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MF-001", Level: verdict.Must,
			English:  "mmap has the architecture's number and takes all six arguments: memory is writable, a file is mapped from the offset given, and munmap takes it away.",
			Chinese:  "mmap 使用本架构的调用号并接收全部六个参数：内存可写，文件从给定偏移处映射，munmap 能将其撤销。",
			Source:   "mmap(2): length, prot, flags, fd and offset, the offset in the file where the mapping begins; munmap(2): further references generate invalid memory references; the numbers of the architecture's system call table",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("mmap")
				expect.OK(g, o)
				rows(g, o, ok, "first", "last")
				o = t.Step("munmap")
				expect.OK(g, o)
				rows(g, o, "fault", "after")
				o = t.Step("offset")
				expect.OK(g, o)
				g.Expect(o.Int("byte")).To(gomega.Equal(2), "what the file holds at the offset")
				rows(g, o, "fault", "write")
			},
		},
		{
			ID: "MF-002", Level: verdict.Must,
			English:  "An anonymous mapping is accepted as MAP_SHARED and MAP_PRIVATE and refused with EINVAL without a type and with all bits of the type set.",
			Chinese:  "匿名映射接受 MAP_SHARED 和 MAP_PRIVATE；不给类型或类型各位全为 1 时以 EINVAL 拒绝。",
			Source:   "mmap(2): exactly one of MAP_SHARED, MAP_SHARED_VALIDATE and MAP_PRIVATE, and ERRORS: EINVAL, flags contained none of them; MAP_ANONYMOUS in conjunction with MAP_SHARED",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("types anonymous")
				rows(g, o, ok, "1", "2")
				rows(g, o, invalid, "0", "15")
			},
		},
		{
			ID: "MF-003", Level: verdict.Should,
			English:  "From 6.11 on MAP_DROPPABLE gives an anonymous mapping that is wiped on fork, never dumped and not accounted; before it is refused with EINVAL, and with a file always.",
			Chinese:  "从 6.11 起，MAP_DROPPABLE 给出在 fork 时清空、不转储、不计账的匿名映射；此前以 EINVAL 拒绝，用于文件时始终拒绝。",
			Source:   "MAP_DROPPABLE in mmap(2); commit 9651fcedf7b9; a process made by fork tells what it finds; observed on 5.10 to 7.3",
			UserMode: claim.HostRelease,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts) {
				rows(g, t.Step("types file"), invalid, "8")
				o := t.Step("droppable")
				if !history.Droppable(f) {
					expect.Errno(g, a, o, invalid)
					return
				}
				expect.OK(g, o)
				g.Expect(o.Words("vmflags")).To(gomega.ContainElements("dp", "wf", "dd", "nr"), "VmFlags")
				rows(g, o, ok, "store")
				if _, told := o.Values["child"]; told {
					rows(g, o, "0", "child")
				}
			}),
		},
		{
			ID: "MF-004", Level: verdict.Must,
			English:  "A mapping of a file is accepted as MAP_SHARED, MAP_PRIVATE and MAP_SHARED_VALIDATE and refused with EINVAL without a type and with all bits of the type set.",
			Chinese:  "文件映射接受 MAP_SHARED、MAP_PRIVATE 和 MAP_SHARED_VALIDATE，不给类型或类型各位全为 1 时以 EINVAL 拒绝。",
			Source:   "mmap(2): exactly one of MAP_SHARED, MAP_SHARED_VALIDATE (since Linux 4.15) and MAP_PRIVATE, and ERRORS: EINVAL, flags contained none of them",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("types file")
				rows(g, o, ok, "1", "2", "3")
				rows(g, o, invalid, "0", "15")
			},
		},
		{
			ID: "MF-111", Level: verdict.Should, // a vendor may define one: MAP_DROPPABLE is new in 6.11
			English:  "mmap refuses every type that has no name with EINVAL, anonymous and with a file, and MAP_SHARED_VALIDATE for anonymous memory.",
			Chinese:  "mmap 对没有名字的每种类型均以 EINVAL 拒绝，匿名映射和文件映射都是如此；对匿名内存也以 EINVAL 拒绝 MAP_SHARED_VALIDATE。",
			Source:   "do_mmap in mm/mmap.c (4.19 to 7.3)",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				all(g, t.Step("types anonymous"), invalid, "1", "2", "8")
				all(g, t.Step("types file"), invalid, "1", "2", "3")
				expect.Errno(g, a, t.Step("validated anonymous"), invalid)
			}),
		},
		{
			ID: "MF-005", Level: verdict.Must,
			English:  "MAP_SHARED ignores the bits from 0x200000 to 0x2000000 that have no meaning on the architecture.",
			Chinese:  "MAP_SHARED 忽略 0x200000 到 0x2000000 中在本架构上没有含义的各位。",
			Source:   "mmap(2), MAP_SHARED_VALIDATE: MAP_SHARED mappings ignore unknown flags in flags",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				rows(g, t.Step("unknown bits shared file"), ok, meaningless(a)...)
			}),
		},
		{
			ID: "MF-125", Level: verdict.Should, // the manual says it of MAP_SHARED alone, and a vendor may define a bit
			English:  "MAP_PRIVATE and MAP_SHARED ignore every bit that has no meaning on the architecture, and MAP_PRIVATE ignores MAP_SYNC.",
			Chinese:  "MAP_PRIVATE 和 MAP_SHARED 忽略在本架构上没有含义的所有位，MAP_PRIVATE 还忽略 MAP_SYNC。",
			Source:   "do_mmap in mm/mmap.c (4.19 to 7.3): only MAP_SHARED_VALIDATE looks at LEGACY_MAP_MASK",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, step := range []string{"private anonymous", "private file", "shared file"} {
					all(g, t.Step("unknown bits "+step), ok)
				}
				if a.Map.Sync != 0 {
					expect.OK(g, t.Step("sync private"))
				}
			}),
		},
		{
			ID: "MF-012", Level: verdict.Must,
			English:  "No combination of protections is refused, with or without MAP_STACK, but for executable memory that a policy refuses to both.",
			Chinese:  "无论是否带 MAP_STACK，任何保护组合都不会被拒绝，除非策略对两者都拒绝可执行内存。",
			Source:   "mmap(2): prot is either PROT_NONE or the bitwise OR of one or more of PROT_EXEC, PROT_READ and PROT_WRITE; MAP_STACK is currently a no-op on Linux",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts) {
				o := t.Step("protections")
				for prot := uint64(0); prot < 8; prot++ {
					want, plain := ok, strconv.FormatUint(prot, 10)
					if prot&a.Prot.Exec != 0 && feature.Refused(o.Value(plain)) && feature.Policy(f) != "" {
						want = o.Value(plain)
					}
					rows(g, o, want, plain, plain+" stack")
				}
			}),
		},
	}
}

func validateClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MF-006", Level: verdict.Must,
			English:     "MAP_SHARED_VALIDATE refuses MAP_SYNC with EOPNOTSUPP on a file that is not on persistent memory.",
			Chinese:     "对于不在持久内存上的文件，MAP_SHARED_VALIDATE 以 EOPNOTSUPP 拒绝 MAP_SYNC。",
			Source:      "mmap(2), MAP_SYNC (since Linux 4.15): for files that do not support DAX, creating a mapping with this flag results in an EOPNOTSUPP error",
			Unsupported: claim.Where(definesSync),
			UserMode:    claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step("sync validated"), notSupported)
			}),
		},
		{
			ID: "MF-007", Level: verdict.Must,
			English:  "MAP_SHARED_VALIDATE treats the number 0x80000 as what it is on the architecture: MAP_SYNC (EOPNOTSUPP), MAP_HUGETLB (refused otherwise, because such a file has no huge pages) or MAP_STACK (accepted).",
			Chinese:  "MAP_SHARED_VALIDATE 按本架构的含义处理数值 0x80000：MAP_SYNC（EOPNOTSUPP）、MAP_HUGETLB（以其他错误拒绝，因为此类文件没有大页）或 MAP_STACK（接受）。",
			Source:   "mmap(2): MAP_SYNC results in EOPNOTSUPP for files without DAX; MAP_HUGETLB, allocate the mapping using huge pages; MAP_SHARED_VALIDATE fails for unknown flags alone; the number is in arch/*/include/uapi/asm/mman.h; observed on all but alpha and sw64",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("validated 0x80000")
				switch uint64(0x80000) {
				case a.Map.HugeTLB:
					g.Expect(o.Failure()).NotTo(gomega.BeElementOf("none", failure(a, notSupported)), "%s", o.Call)
				case a.Map.Stack:
					expect.OK(g, o)
				default:
					expect.Errno(g, a, o, notSupported)
				}
			}),
		},
		{
			ID: "MF-008", Level: verdict.Must,
			English:     "MAP_SHARED ignores MAP_SYNC.",
			Chinese:     "MAP_SHARED 忽略 MAP_SYNC。",
			Source:      "mmap(2), MAP_SYNC: mappings of type MAP_SHARED will silently ignore this flag",
			Unsupported: claim.Where(definesSync),
			UserMode:    claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				expect.OK(g, t.Step("sync shared"))
			},
		},
		{
			ID: "MF-009", Level: verdict.Must,
			English:     "Where 0x80000 is MAP_HUGETLB, it is refused for an ordinary file, as the generic MAP_SYNC would not be.",
			Chinese:     "在 0x80000 为 MAP_HUGETLB 的架构上，对普通文件使用它会被拒绝，而通用的 MAP_SYNC 不会。",
			Source:      "mmap(2): MAP_HUGETLB, allocate the mapping using huge pages, which an ordinary file does not have; the number is in arch/mips/include/uapi/asm/mman.h; observed on mips64le 6.1",
			Unsupported: claim.Where(namesHugeTLB),
			UserMode:    claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				refused(g, t.Step("private 0x80000 file"))
			}),
		},
		{
			ID: "MF-010", Level: verdict.Must,
			English:  "MAP_SHARED_VALIDATE refuses the bits from 0x200000 to 0x2000000 that have no meaning on the architecture with EOPNOTSUPP.",
			Chinese:  "MAP_SHARED_VALIDATE 以 EOPNOTSUPP 拒绝 0x200000 到 0x2000000 中在本架构上没有含义的各位。",
			Source:   "mmap(2), MAP_SHARED_VALIDATE (since Linux 4.15): the kernel verifies all passed flags are known and fails the mapping with the error EOPNOTSUPP for unknown flags",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				rows(g, t.Step("unknown bits validated file"), notSupported, meaningless(a)...)
			}),
		},
		{
			ID: "MF-112", Level: verdict.Should, // the next flag will be one of them
			English:  "MAP_SHARED_VALIDATE refuses every bit that has no meaning on the architecture with EOPNOTSUPP.",
			Chinese:  "MAP_SHARED_VALIDATE 以 EOPNOTSUPP 拒绝在本架构上没有含义的每一位。",
			Source:   "mmap(2): MAP_SHARED_VALIDATE; LEGACY_MAP_MASK in include/linux/mman.h (4.19 to 7.3)",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				all(g, t.Step("unknown bits validated file"), notSupported)
			},
		},
		{
			ID: "MF-011", Level: verdict.Must,
			English:  "MAP_SHARED_VALIDATE accepts MAP_STACK, MAP_POPULATE, MAP_NORESERVE and MAP_LOCKED with a file.",
			Chinese:  "MAP_SHARED_VALIDATE 对文件接受 MAP_STACK、MAP_POPULATE、MAP_NORESERVE 和 MAP_LOCKED。",
			Source:   "mmap(2), MAP_SHARED_VALIDATE (since Linux 4.15): the same behavior as MAP_SHARED, except that unknown flags fail; the four flags are in mmap(2)",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				rows(g, t.Step("validated legacy flags"), ok, "none", "stack", "populate", "noreserve", "locked")
			},
		},
		{
			ID: "MF-014", Level: verdict.Should,
			English:  "MAP_SHARED_VALIDATE refuses MAP_FIXED_NOREPLACE with EOPNOTSUPP.",
			Chinese:  "MAP_SHARED_VALIDATE 以 EOPNOTSUPP 拒绝 MAP_FIXED_NOREPLACE。",
			Source:   "LEGACY_MAP_MASK in include/linux/mman.h lacks it, 5.10 to 7.3",
			UserMode: claim.Emulated,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step("validated noreplace"), notSupported)
			}),
		},
	}
}
