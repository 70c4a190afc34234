package defect

import "github.com/mapstack/conformance/poc/abi"

// ignoring returns a rule that drops a flag of mmap.
func ignoring(flag func(m abi.Map) uint64) func(c *Call) {
	return func(c *Call) { c.Args[flags] &^= flag(c.Kernel.Map) }
}

// alphaStack and alphaPopulate are the numbers of alpha and sw64.
const (
	alphaStack    = 0x80000
	alphaPopulate = 0x20000
)

// unnamed and unnamedAbove are no flags of mmap on any architecture.
const (
	unnamed      = 0x200
	unnamedAbove = 0x400000
)

// numbers returns the defects in what a flag of mmap means.
func numbers() []Model {
	return []Model{
		{
			Name: "numbers-of-alpha", Calls: mmap,
			English: "mmap reads 0x20000 as MAP_POPULATE and 0x80000 as MAP_STACK, as alpha and sw64 do and this architecture must not.",
			Chinese: "mmap 把 0x20000 当作 MAP_POPULATE、把 0x80000 当作 MAP_STACK；alpha 和 sw64 如此，本架构不应如此。",
			Act: func(c *Call) {
				word, m := c.Args[flags], c.Kernel.Map
				c.Args[flags] &^= alphaPopulate | alphaStack
				if word&alphaPopulate != 0 {
					c.Args[flags] |= m.Populate
				}
				if word&alphaStack != 0 {
					c.Args[flags] |= m.Stack
				}
			},
			Unserved: func(t Target) string {
				if t.Table().Map.Stack == alphaStack {
					return "these are the architecture's own numbers"
				}
				return ""
			},
		},
		{
			Name: "anonymous-assumed", Calls: mmap,
			English: "mmap gives anonymous memory when MAP_ANONYMOUS is missing and the descriptor is no file.",
			Chinese: "缺少 MAP_ANONYMOUS 且描述符不是文件时，mmap 仍给出匿名内存。",
			Act: func(c *Call) {
				// These descriptors, -1 included, are beyond any limit on open files.
				if uint32(c.Args[descriptor]) >= 1<<20 {
					c.Args[flags] |= c.Kernel.Map.Anonymous
				}
			},
		},
		{
			Name: "unknown-refused", Calls: mmap,
			English: "MAP_PRIVATE and MAP_SHARED refuse a bit that they do not know with EINVAL.",
			Chinese: "MAP_PRIVATE 和 MAP_SHARED 以 EINVAL 拒绝它们不认识的位。",
			Act: func(c *Call) {
				if c.Args[flags]&(unnamed|unnamedAbove) != 0 && c.mapType() != c.Kernel.Map.SharedValidate {
					c.refuse("EINVAL")
				}
			},
		},
		{
			Name: "unknown-unaccounted", Calls: mmap,
			English: "An unnamed number, 0x200, takes a mapping out of the accounting as MAP_NORESERVE does.",
			Chinese: "没有名字的数值 0x200 像 MAP_NORESERVE 一样使映射脱离记账。",
			Act: func(c *Call) {
				if c.Args[flags]&unnamed != 0 && c.mapType() != c.Kernel.Map.SharedValidate {
					c.Args[flags] |= c.Kernel.Map.NoReserve
				}
			},
		},
		{
			Name: "denywrite-refused", Calls: mmap,
			English: "mmap refuses MAP_DENYWRITE and MAP_EXECUTABLE instead of ignoring them.",
			Chinese: "mmap 拒绝 MAP_DENYWRITE 和 MAP_EXECUTABLE，而不是忽略它们。",
			Act: func(c *Call) {
				if m := c.Kernel.Map; c.has(m.DenyWrite | m.Executable) {
					c.refuse("EINVAL")
				}
			},
		},
		{
			Name: "file-flags-refused", Calls: mmap,
			English: "mmap refuses MAP_POPULATE, MAP_NORESERVE and MAP_LOCKED for files with EINVAL.",
			Chinese: "对文件使用 MAP_POPULATE、MAP_NORESERVE 和 MAP_LOCKED 时，mmap 以 EINVAL 拒绝。",
			Act: func(c *Call) {
				if m := c.Kernel.Map; !c.has(m.Anonymous) && c.has(m.Populate|m.NoReserve|m.Locked) {
					c.refuse("EINVAL")
				}
			},
		},
		{
			Name: "nonblock-populates", Calls: mmap,
			English: "MAP_NONBLOCK populates the mapping.",
			Chinese: "MAP_NONBLOCK 会预先填充映射。",
			Act: func(c *Call) {
				if m := c.Kernel.Map; c.has(m.NonBlock) {
					c.Args[flags] = c.Args[flags]&^m.NonBlock | m.Populate
				}
			},
		},
		{
			Name: "populate-ignored", Calls: mmap,
			English: "MAP_POPULATE is ignored.",
			Chinese: "MAP_POPULATE 被忽略。",
			Act:     ignoring(func(m abi.Map) uint64 { return m.Populate }),
		},
		{
			Name: "noreserve-ignored", Calls: mmap,
			English: "MAP_NORESERVE is ignored.",
			Chinese: "MAP_NORESERVE 被忽略。",
			Act:     ignoring(func(m abi.Map) uint64 { return m.NoReserve }),
		},
		{
			Name: "locked-ignored", Calls: mmap,
			English: "MAP_LOCKED is ignored, and with it RLIMIT_MEMLOCK.",
			Chinese: "MAP_LOCKED 以及 RLIMIT_MEMLOCK 被忽略。",
			Act:     ignoring(func(m abi.Map) uint64 { return m.Locked }),
		},
		{
			Name: "growsdown-ignored", Calls: mmap,
			English: "MAP_GROWSDOWN is ignored.",
			Chinese: "MAP_GROWSDOWN 被忽略。",
			Act:     ignoring(func(m abi.Map) uint64 { return m.GrowsDown }),
		},
		{
			Name: "hugetlb-ignored", Calls: mmap,
			English: "MAP_HUGETLB is ignored.",
			Chinese: "MAP_HUGETLB 被忽略。",
			Act:     ignoring(func(m abi.Map) uint64 { return m.HugeTLB }),
		},
		{
			Name: "sync-accepted", Calls: mmap,
			English: "MAP_SHARED_VALIDATE accepts MAP_SYNC on a file without persistent memory.",
			Chinese: "对不在持久内存上的文件，MAP_SHARED_VALIDATE 也接受 MAP_SYNC。",
			Act: func(c *Call) {
				if c.mapType() == c.Kernel.Map.SharedValidate {
					c.Args[flags] &^= c.Kernel.Map.Sync
				}
			},
			Unserved: withoutSync,
		},
		{
			Name: "sync-refused", Calls: mmap,
			English: "MAP_PRIVATE and MAP_SHARED refuse MAP_SYNC with EOPNOTSUPP instead of ignoring it.",
			Chinese: "MAP_PRIVATE 和 MAP_SHARED 以 EOPNOTSUPP 拒绝 MAP_SYNC，而不是忽略它。",
			Act: func(c *Call) {
				if c.has(c.Kernel.Map.Sync) && c.mapType() != c.Kernel.Map.SharedValidate {
					c.refuse("EOPNOTSUPP")
				}
			},
			Unserved: withoutSync,
		},
	}
}

func withoutSync(t Target) string {
	if t.Table().Map.Sync == 0 {
		return "the architecture does not define MAP_SYNC"
	}
	return ""
}
