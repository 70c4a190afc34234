package defect

import (
	"strings"

	"github.com/mapstack/conformance/poc/abi"
)

// onStacks returns a rule for mmap calls with MAP_STACK.
func onStacks(act func(c *Call)) func(c *Call) {
	return func(c *Call) {
		if c.stack() {
			act(c)
		}
	}
}

// adding returns a rule that adds flags to mappings with MAP_STACK.
func adding(flag func(m abi.Map) uint64) func(c *Call) {
	return onStacks(func(c *Call) { c.Args[flags] |= flag(c.Kernel.Map) })
}

// stacks returns the defects of MAP_STACK.
func stacks() []Model {
	return []Model{
		{
			Name: "stack-eperm", Calls: mmap, Marked: true,
			English: "mmap refuses MAP_STACK with EPERM.",
			Chinese: "mmap 以 EPERM 拒绝 MAP_STACK。",
			Act:     onStacks(func(c *Call) { c.refuse("EPERM") }),
		},
		{
			Name: "stack-einval", Calls: mmap, Marked: true,
			English: "mmap refuses MAP_STACK with EINVAL.",
			Chinese: "mmap 以 EINVAL 拒绝 MAP_STACK。",
			Act:     onStacks(func(c *Call) { c.refuse("EINVAL") }),
		},
		{
			Name: "stack-eopnotsupp", Calls: mmap, Marked: true,
			English: "mmap refuses MAP_STACK with EOPNOTSUPP.",
			Chinese: "mmap 以 EOPNOTSUPP 拒绝 MAP_STACK。",
			Act:     onStacks(func(c *Call) { c.refuse("EOPNOTSUPP") }),
		},
		{
			Name: "stack-enomem", Calls: mmap, Marked: true,
			English: "mmap refuses MAP_STACK with ENOMEM although there is memory.",
			Chinese: "内存充足时 mmap 仍以 ENOMEM 拒绝 MAP_STACK。",
			Act:     onStacks(func(c *Call) { c.refuse("ENOMEM") }),
		},
		{
			Name: "stack-privileged", Calls: mmap,
			English: "mmap grants MAP_STACK to root alone.",
			Chinese: "mmap 仅允许 root 使用 MAP_STACK。",
			Act: onStacks(func(c *Call) {
				if c.UID() != 0 {
					c.refuse("EPERM")
				}
			}),
		},
		{
			Name: "stack-read-only", Calls: mmap, Marked: true,
			English: "mmap silently takes PROT_WRITE away from a mapping with MAP_STACK.",
			Chinese: "mmap 悄悄去掉带 MAP_STACK 的映射的 PROT_WRITE。",
			Act:     onStacks(func(c *Call) { c.Args[prot] &^= c.Kernel.Prot.Write }),
		},
		{
			Name: "stack-inaccessible", Calls: mmap,
			English: "mmap succeeds with MAP_STACK and gives memory that faults at the first touch.",
			Chinese: "带 MAP_STACK 的 mmap 成功，但所得内存首次访问即触发异常。",
			Act:     onStacks(func(c *Call) { c.Args[prot] = 0 }),
		},
		{
			Name: "stack-executable", Calls: mmap,
			English: "mmap adds PROT_EXEC to a readable mapping with MAP_STACK.",
			Chinese: "mmap 为可读的带 MAP_STACK 的映射加上 PROT_EXEC。",
			Act: onStacks(func(c *Call) {
				if c.Args[prot]&c.Kernel.Prot.Read != 0 {
					c.Args[prot] |= c.Kernel.Prot.Exec
				}
			}),
		},
		{
			Name: "stack-never-executable", Calls: mmap,
			English: "mmap refuses MAP_STACK memory that is writable and executable with EACCES, without any policy.",
			Chinese: "在没有任何策略的情况下，mmap 以 EACCES 拒绝可写且可执行的 MAP_STACK 内存。",
			Act: onStacks(func(c *Call) {
				if both := c.Kernel.Prot.Write | c.Kernel.Prot.Exec; c.Args[prot]&both == both {
					c.refuse("EACCES")
				}
			}),
		},
		{
			Name: "stack-populated", Calls: mmap,
			English: "MAP_STACK populates the mapping.",
			Chinese: "MAP_STACK 会预先填充映射。",
			Act:     adding(func(m abi.Map) uint64 { return m.Populate }),
		},
		{
			Name: "stack-hint-ignored", Calls: mmap,
			English: "mmap ignores the hint of MAP_STACK memory.",
			Chinese: "mmap 忽略 MAP_STACK 内存的提示地址。",
			Act: onStacks(func(c *Call) {
				if !c.fixed() {
					c.Args[addr] = 0
				}
			}),
			Unserved: hintUnreachable,
		},
		{
			Name: "stack-locked", Calls: mmap,
			English: "MAP_STACK locks the mapping into memory.",
			Chinese: "MAP_STACK 会将映射锁定在内存中。",
			Act:     adding(func(m abi.Map) uint64 { return m.Locked }),
		},
		{
			Name: "stack-grows", Calls: mmap,
			English: "MAP_STACK makes private anonymous memory grow down.",
			Chinese: "MAP_STACK 使私有匿名内存向下增长。",
			Act: onStacks(func(c *Call) {
				if c.mapType() == c.Kernel.Map.Private && c.has(c.Kernel.Map.Anonymous) {
					c.Args[flags] |= c.Kernel.Map.GrowsDown
				}
			}),
		},
		{
			Name: "stack-shared", Calls: mmap,
			English: "Private anonymous memory becomes a shared object with a name when it is mapped with MAP_STACK.",
			Chinese: "带 MAP_STACK 映射的私有匿名内存变成有名字的共享对象。",
			Act: onStacks(func(c *Call) {
				if c.mapType() == c.Kernel.Map.Private && c.has(c.Kernel.Map.Anonymous) {
					c.setType(c.Kernel.Map.Shared)
				}
			}),
		},
		{
			Name: "stack-alone", Calls: mmap,
			English: "MAP_STACK makes mmap forget MAP_NORESERVE, MAP_POPULATE, MAP_GROWSDOWN and MAP_HUGETLB.",
			Chinese: "MAP_STACK 使 mmap 忽略 MAP_NORESERVE、MAP_POPULATE、MAP_GROWSDOWN 和 MAP_HUGETLB。",
			Act: onStacks(func(c *Call) {
				m := c.Kernel.Map
				c.Args[flags] &^= m.NoReserve | m.Populate | m.GrowsDown | m.HugeTLB
			}),
		},
		{
			Name: "stack-any-type", Calls: mmap,
			English: "With MAP_STACK mmap takes anonymous memory of any type for private.",
			Chinese: "带 MAP_STACK 时，mmap 把任何类型的匿名内存都当作私有内存。",
			Act: onStacks(func(c *Call) {
				if c.has(c.Kernel.Map.Anonymous) {
					c.setType(c.Kernel.Map.Private)
				}
			}),
		},
		{
			Name: "stack-file-refused", Calls: mmap,
			English: "mmap refuses to map a file with MAP_STACK.",
			Chinese: "mmap 拒绝带 MAP_STACK 映射文件。",
			Act: onStacks(func(c *Call) {
				if !c.has(c.Kernel.Map.Anonymous) {
					c.refuse("EINVAL")
				}
			}),
		},
		{
			Name: "stack-on-all", Calls: mmap,
			English: "mmap treats every anonymous mapping as if MAP_STACK had been given, and keeps it from huge pages.",
			Chinese: "mmap 把每个匿名映射都当作带有 MAP_STACK 处理，使其避开大页。",
			Act: func(c *Call) {
				if c.has(c.Kernel.Map.Anonymous) {
					c.Args[flags] |= c.Kernel.Map.Stack
				}
			},
			Unserved: func(t Target) string {
				if !t.MarksStacks {
					return "MAP_STACK has no effect on this kernel, so giving it to all mappings changes nothing"
				}
				return ""
			},
		},
		{
			Name: "stack-marks-large", Calls: mmap,
			English: "MAP_STACK keeps only mappings of 8 MiB and more from huge pages.",
			Chinese: "MAP_STACK 只使 8 MiB 及以上的映射避开大页。",
			Act: onStacks(func(c *Call) {
				if c.Args[length] < 8<<20 {
					c.Args[flags] &^= c.Kernel.Map.Stack
				}
			}),
			Unserved: func(t Target) string {
				if !t.MarksStacks {
					return "MAP_STACK has no effect on this kernel, so taking it away changes nothing"
				}
				return ""
			},
		},
		{
			Name: "stack-exec-alone-readable", Calls: mmap,
			English: "MAP_STACK memory with PROT_EXEC alone can be read.",
			Chinese: "只有 PROT_EXEC 的带 MAP_STACK 的内存可读。",
			Act: onStacks(func(c *Call) {
				if c.protection() == c.Kernel.Prot.Exec {
					c.Args[prot] |= c.Kernel.Prot.Read
				}
			}),
		},
		{
			Name: "stack-dontfork-ignored", Calls: madvise, Stacks: true,
			English: "madvise ignores MADV_DONTFORK on MAP_STACK memory, and children have it.",
			Chinese: "madvise 对带 MAP_STACK 的内存忽略 MADV_DONTFORK，子进程仍拥有它。",
			Act: func(c *Call) {
				if c.Args[advice] == madvDontFork && c.OnStack(c.Args[addr]) {
					c.Args[advice] = madvNormal
				}
			},
		},
		{
			Name: "stack-free-refused", Calls: madvise, Stacks: true,
			English: "madvise refuses MADV_FREE on MAP_STACK memory with EINVAL.",
			Chinese: "madvise 对带 MAP_STACK 的内存以 EINVAL 拒绝 MADV_FREE。",
			Act: func(c *Call) {
				if c.Args[advice] == madvFree && c.OnStack(c.Args[addr]) {
					c.refuse("EINVAL")
				}
			},
		},
		{
			Name: "stack-not-written-by-proc", Calls: []string{"pwrite64"}, Stacks: true,
			English: "A write to MAP_STACK memory through /proc/PID/mem fails with EIO.",
			Chinese: "通过 /proc/PID/mem 写入带 MAP_STACK 的内存以 EIO 失败。",
			Act: func(c *Call) {
				const position = 3
				if strings.HasSuffix(c.Path(c.Args[fd]), "/mem") && c.OnStack(c.Args[position]) {
					c.refuse("EIO")
				}
			},
		},
		{
			Name: "stack-unnamed", Calls: prctl, Stacks: true,
			English: "PR_SET_VMA_ANON_NAME succeeds and gives MAP_STACK memory no name; nor any memory, on a kernel without it.",
			Chinese: "PR_SET_VMA_ANON_NAME 报告成功，却不给带 MAP_STACK 的内存命名；不支持它的内核则不给任何内存命名。",
			Act: func(c *Call) {
				const start, bytes = 2, 3
				if c.Args[0] != setVMA {
					return
				}
				if c.OnStack(c.Args[start]) {
					c.Args[bytes] = 0
				}
				c.replace("EINVAL", Result{})
			},
		},
		{
			Name: "stack-mprotect-eacces", Calls: mprotect, Stacks: true,
			English: "mprotect refuses to change the protection of MAP_STACK memory with EACCES.",
			Chinese: "mprotect 以 EACCES 拒绝更改 MAP_STACK 内存的保护属性。",
			Act: func(c *Call) {
				if c.OnStack(c.Args[addr]) {
					c.refuse("EACCES")
				}
			},
		},
	}
}
