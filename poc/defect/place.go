package defect

// placement returns the defects in where mmap puts a mapping.
func placement() []Model {
	return []Model{
		{
			Name: "noreplace-clobbers", Calls: mmap,
			English: "MAP_FIXED_NOREPLACE replaces what is mapped at the address.",
			Chinese: "MAP_FIXED_NOREPLACE 会替换该地址上已有的映射。",
			Act: func(c *Call) {
				if m := c.Kernel.Map; c.has(m.FixedNoReplace) {
					c.Args[flags] = c.Args[flags]&^m.FixedNoReplace | m.Fixed
				}
			},
		},
		{
			Name: "noreplace-is-hint", Calls: mmap,
			English: "MAP_FIXED_NOREPLACE is ignored: an occupied address is only a hint.",
			Chinese: "MAP_FIXED_NOREPLACE 被忽略：被占用的地址只是提示。",
			Act:     func(c *Call) { c.Args[flags] &^= c.Kernel.Map.FixedNoReplace },
		},
		{
			Name: "fixed-is-hint", Calls: mmap,
			English: "MAP_FIXED is ignored: mmap moves the mapping when the address is occupied.",
			Chinese: "MAP_FIXED 被忽略：地址被占用时 mmap 会移动映射。",
			Act:     func(c *Call) { c.Args[flags] &^= c.Kernel.Map.Fixed },
		},
		{
			Name: "fixed-keeps-content", Calls: mmap,
			English: "MAP_FIXED over a page leaves the old content there instead of zeroes.",
			Chinese: "MAP_FIXED 覆盖一页时保留旧内容，而不是清零。",
			Act: func(c *Call) {
				if c.has(c.Kernel.Map.Fixed) && !c.has(c.Kernel.Map.FixedNoReplace) && c.Args[addr]%c.Page == 0 {
					c.pretend(c.Args[addr])
				}
			},
		},
		{
			Name: "fixed-rounds", Calls: mmap,
			English: "MAP_FIXED accepts an unaligned address and maps elsewhere.",
			Chinese: "MAP_FIXED 接受未对齐的地址，并映射到别处。",
			Act: func(c *Call) {
				if c.has(c.Kernel.Map.Fixed) && c.Args[addr]%c.Page != 0 {
					c.Args[flags] &^= c.Kernel.Map.Fixed
				}
			},
		},
		{
			Name: "hint-is-fixed", Calls: mmap,
			English: "mmap takes every hint for an order and replaces what is mapped there.",
			Chinese: "mmap 把每个提示地址当作命令，替换该处已有的映射。",
			Act: func(c *Call) {
				if m := c.Kernel.Map; c.Args[addr] != 0 && !c.has(m.FixedNoReplace) {
					c.Args[flags] |= m.Fixed
				}
			},
		},
		{
			Name: "byte-takes-two-pages", Calls: mmap,
			English: "mmap rounds a length of less than a page up to two pages.",
			Chinese: "mmap 把不足一页的长度向上取整为两页。",
			Act: func(c *Call) {
				if n := c.Args[length]; n > 0 && n < c.Page {
					c.Args[length] = 2 * c.Page
				}
			},
		},
		{
			Name: "32bit-ignored", Calls: mmap,
			English: "MAP_32BIT is ignored.",
			Chinese: "MAP_32BIT 被忽略。",
			Act:     func(c *Call) { c.Args[flags] &^= c.Kernel.Map.Bit32 },
			Unserved: func(t Target) string {
				if t.Table().Map.Bit32 == 0 {
					return "the architecture does not define MAP_32BIT"
				}
				return ""
			},
		},
		{
			Name: "hint-ignored", Calls: mmap,
			English: "mmap ignores every hint.",
			Chinese: "mmap 忽略所有提示地址。",
			Act: func(c *Call) {
				if !c.fixed() {
					c.Args[addr] = 0
				}
			},
			Unserved: hintUnreachable,
		},
		{
			Name: "low-refused-to-root", Calls: mmap,
			English: "mmap refuses a fixed address below 1 MiB with EPERM to root as well.",
			Chinese: "mmap 对低于 1 MiB 的固定地址，连 root 也以 EPERM 拒绝。",
			Act: func(c *Call) {
				if c.fixed() && c.Args[addr] < 1<<20 {
					c.refuse("EPERM")
				}
			},
		},
		{
			Name: "min-addr-unchecked", Calls: mmap,
			English: "mmap grants users fixed addresses below vm.mmap_min_addr.",
			Chinese: "mmap 允许普通用户使用低于 vm.mmap_min_addr 的固定地址。",
			Act: func(c *Call) {
				if at := c.Args[addr]; c.fixed() {
					c.replace("EPERM", Result{Value: at})
				}
			},
		},
		{
			Name: "space-has-hole", Calls: mmap,
			English: "mmap refuses all fixed addresses from 2^37 to 2^38.",
			Chinese: "mmap 拒绝从 2^37 到 2^38 的所有固定地址。",
			Act: func(c *Call) {
				if c.fixed() && c.Args[addr]>>37 == 1 {
					c.refuse("ENOMEM")
				}
			},
		},
		{
			Name: "beyond-space-efault", Calls: mmap,
			English: "mmap refuses a fixed address beyond the end of the address space with EFAULT.",
			Chinese: "mmap 以 EFAULT 拒绝超出地址空间末尾的固定地址。",
			Act: func(c *Call) {
				if c.fixed() && c.Args[addr]>>38 != 0 && c.Args[addr]%c.Page == 0 {
					efault := Result{Errno: c.Kernel.Errno("EFAULT")}
					c.answer = func(r Result) Result {
						if r.Errno == c.Kernel.Errno("ENOMEM") || r.Errno == c.Kernel.Errno("EINVAL") {
							return efault
						}
						return r
					}
				}
			},
		},
	}
}

// hintUnreachable says why an injector cannot change the hint of mmap; "" if it can.
func hintUnreachable(t Target) string {
	if t.Table().MmapByPointer {
		return "" // the argument is in memory
	}
	return needsFirst(t)
}
