package defect

// From include/uapi/linux/prctl.h and asm-generic/mman-common.h.
const (
	setMDWE, getMDWE = 65, 66
	setVMA           = 0x53564d41
	madvNormal       = 0
	madvFree         = 8
	madvDontFork     = 10
)

// unadvised returns a rule by which madvise ignores some advice.
func unadvised(ignored func(c *Call) []uint64) func(c *Call) {
	return func(c *Call) {
		for _, a := range ignored(c) {
			if c.Args[advice] == a {
				c.Args[advice] = madvNormal
			}
		}
	}
}

// protection returns the three protection bits that every architecture has.
func (c *Call) protection() uint64 {
	p := c.Kernel.Prot
	return c.Args[prot] & (p.Read | p.Write | p.Exec)
}

// memory returns the defects of calls on existing mappings.
func memory() []Model {
	return []Model{
		{
			Name: "mprotect-ignored", Calls: mprotect,
			English: "mprotect reports success and changes nothing.",
			Chinese: "mprotect 报告成功但什么也不改。",
			Act:     func(c *Call) { c.pretend(0) },
		},
		{
			Name: "mprotect-owns-what-was-read", Calls: mprotect,
			English: "mprotect takes a page that was only read for the program's own, as Linux on MIPS up to 6.1 does.",
			Chinese: "mprotect 把只被读过的页当作程序自己的页，如 MIPS 上 6.1 及以前的 Linux。",
			Act:     func(c *Call) { c.Store(c.Args[addr], 0) },
		},
		{
			Name: "prot-growsdown-ignored", Calls: mprotect,
			English: "mprotect ignores PROT_GROWSDOWN.",
			Chinese: "mprotect 忽略 PROT_GROWSDOWN。",
			Act:     func(c *Call) { c.Args[prot] &^= c.Kernel.Prot.GrowsDown },
		},
		{
			Name: "write-alone-refused", Calls: []string{"mmap", "mprotect"},
			English: "PROT_WRITE without PROT_READ is refused with EACCES.",
			Chinese: "没有 PROT_READ 的 PROT_WRITE 以 EACCES 拒绝。",
			Act: func(c *Call) {
				if c.protection() == c.Kernel.Prot.Write {
					c.refuse("EACCES")
				}
			},
		},
		{
			Name: "exec-alone-writable", Calls: []string{"mmap", "mprotect"},
			English: "Memory with PROT_EXEC alone can be written.",
			Chinese: "只有 PROT_EXEC 的内存可写。",
			Act: func(c *Call) {
				if p := c.Kernel.Prot; c.protection() == p.Exec {
					c.Args[prot] |= p.Read | p.Write
				}
			},
		},
		{
			Name: "munmap-ignored", Calls: munmap,
			English: "munmap reports success and leaves the memory mapped.",
			Chinese: "munmap 报告成功，但内存仍然映射着。",
			Act:     func(c *Call) { c.pretend(0) },
		},
		{
			Name: "dontneed-ignored", Calls: madvise,
			English: "MADV_DONTNEED keeps the pages and what they hold.",
			Chinese: "MADV_DONTNEED 保留页面及其内容。",
			Act:     unadvised(func(c *Call) []uint64 { return []uint64{c.Kernel.Madv.DontNeed} }),
		},
		{
			Name: "dontneed-of-alpha", Calls: madvise,
			English: "madvise throws pages away for 6, the MADV_DONTNEED of alpha and sw64.",
			Chinese: "madvise 对数值 6（alpha 和 sw64 的 MADV_DONTNEED）丢弃页面。",
			Act: func(c *Call) {
				if c.Args[advice] == 6 {
					c.Args[advice] = c.Kernel.Madv.DontNeed
				}
			},
			Unserved: func(t Target) string {
				if t.Table().Madv.DontNeed == 6 {
					return "6 is the architecture's own number"
				}
				return ""
			},
		},
		{
			Name: "guard-ignored", Calls: madvise,
			English: "MADV_GUARD_INSTALL reports success and guards nothing.",
			Chinese: "MADV_GUARD_INSTALL 报告成功，但不起保护作用。",
			Act:     unadvised(func(c *Call) []uint64 { return []uint64{c.Kernel.Madv.GuardInstall} }),
		},
		{
			Name: "hugepage-advice-ignored", Calls: madvise,
			English: "MADV_HUGEPAGE and MADV_NOHUGEPAGE report success and change nothing.",
			Chinese: "MADV_HUGEPAGE 和 MADV_NOHUGEPAGE 报告成功但什么也不改。",
			Act: unadvised(func(c *Call) []uint64 {
				return []uint64{c.Kernel.Madv.HugePage, c.Kernel.Madv.NoHugePage}
			}),
		},
		{
			Name: "mdwe-ignored", Calls: prctl,
			English: "The kernel claims to know PR_SET_MDWE and still lets memory be writable and executable.",
			Chinese: "内核声称支持 PR_SET_MDWE，却仍允许内存可写且可执行。",
			Act: func(c *Call) {
				switch c.Args[0] {
				case setMDWE:
					c.Args[1] = 0 // no restriction, which the kernel does not refuse
					c.become(Result{})
				case getMDWE:
					c.replace("EINVAL", Result{})
				}
			},
		},
		{
			Name: "personality-refused", Calls: []string{"personality"},
			English: "personality refuses READ_IMPLIES_EXEC with EINVAL.",
			Chinese: "personality 以 EINVAL 拒绝 READ_IMPLIES_EXEC。",
			Act: func(c *Call) {
				const readImpliesExec, onlyTell = 0x400000, 0xffffffff
				if c.Args[0]&readImpliesExec != 0 && c.Args[0] != onlyTell {
					c.become(Result{Errno: c.Kernel.Errno("EINVAL")})
				}
			},
		},
	}
}

// bits returns the defects of protection bits that only some architectures define.
func bits() []Model {
	return []Model{
		{
			Name: "prot-bits-ignored", Calls: mprotect,
			English: "mprotect ignores protection bits that it does not know.",
			Chinese: "mprotect 忽略它不认识的保护位。",
			Act: func(c *Call) {
				for _, known := range c.Kernel.Prot.Named() {
					if known.Value != 0 && c.Args[prot]&^c.protection() == known.Value {
						return
					}
				}
				c.Args[prot] = c.protection()
			},
		},
		{
			Name: "prot-sem-refused", Calls: []string{"mmap", "mprotect"},
			English: "PROT_SEM is refused with EINVAL.",
			Chinese: "PROT_SEM 以 EINVAL 拒绝。",
			Act: func(c *Call) {
				if c.Args[prot]&c.Kernel.Prot.Sem != 0 {
					c.refuse("EINVAL")
				}
			},
		},
	}
}
