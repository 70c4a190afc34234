package defect

// rules returns the defects in what mmap checks.
func rules() []Model {
	return []Model{
		{
			Name: "type-unchecked", Calls: mmap,
			English: "mmap takes a mapping of an unknown type for a private one.",
			Chinese: "mmap 把未知类型的映射当作私有映射。",
			Act: func(c *Call) {
				if t, m := c.mapType(), c.Kernel.Map; t != m.Shared && t != m.Private && t != m.SharedValidate {
					c.setType(m.Private)
				}
			},
		},
		{
			Name: "validate-ignored", Calls: mmap,
			English: "MAP_SHARED_VALIDATE validates nothing: it is MAP_SHARED.",
			Chinese: "MAP_SHARED_VALIDATE 不作任何校验，等同于 MAP_SHARED。",
			Act: func(c *Call) {
				if c.mapType() == c.Kernel.Map.SharedValidate {
					c.setType(c.Kernel.Map.Shared)
				}
			},
		},
		{
			Name: "validate-refuses-stack", Calls: mmap,
			English: "MAP_SHARED_VALIDATE refuses MAP_STACK, as if it were no flag of old, with EOPNOTSUPP.",
			Chinese: "MAP_SHARED_VALIDATE 以 EOPNOTSUPP 拒绝 MAP_STACK，好像它不是旧有标志。",
			Act: onStacks(func(c *Call) {
				if c.mapType() == c.Kernel.Map.SharedValidate {
					c.refuse("EOPNOTSUPP")
				}
			}),
		},
		{
			Name: "exec-refused", Calls: mmap,
			English: "mmap refuses memory that is writable and executable with EACCES, without any policy.",
			Chinese: "在没有任何策略的情况下，mmap 以 EACCES 拒绝可写且可执行的内存。",
			Act: func(c *Call) {
				if both := c.Kernel.Prot.Write | c.Kernel.Prot.Exec; c.Args[prot]&both == both {
					c.refuse("EACCES")
				}
			},
		},
		{
			Name: "none-readable", Calls: []string{"mmap", "mprotect"},
			English: "Memory with PROT_NONE can be read.",
			Chinese: "PROT_NONE 内存可读。",
			Act: func(c *Call) {
				if c.Args[prot] == 0 {
					c.Args[prot] = c.Kernel.Prot.Read
				}
			},
		},
		{
			Name: "read-writable", Calls: mmap,
			English: "Anonymous memory with PROT_READ can be written.",
			Chinese: "PROT_READ 的匿名内存可写。",
			Act: func(c *Call) {
				if p := c.Kernel.Prot; c.has(c.Kernel.Map.Anonymous) && c.Args[prot]&p.Read != 0 {
					c.Args[prot] |= p.Write
				}
			},
		},
		{
			Name: "length-0-enomem", Calls: mmap,
			English: "mmap refuses a length of 0 with ENOMEM.",
			Chinese: "mmap 以 ENOMEM 拒绝长度 0。",
			Act: func(c *Call) {
				if c.Args[length] == 0 {
					c.report("EINVAL", "ENOMEM")
				}
			},
		},
		{
			Name: "huge-length-einval", Calls: mmap,
			English: "mmap refuses a length beyond the address space with EINVAL.",
			Chinese: "mmap 以 EINVAL 拒绝超出地址空间的长度。",
			Act:     func(c *Call) { c.report("ENOMEM", "EINVAL") },
		},
		{
			Name: "offset-ignored", Calls: mmap,
			English: "mmap maps a file from its beginning whatever the offset.",
			Chinese: "无论偏移是多少，mmap 都从文件开头映射。",
			Act: func(c *Call) {
				if !c.has(c.Kernel.Map.Anonymous) {
					c.Args[offset] = 0
				}
			},
		},
		{
			Name: "read-only-file-eperm", Calls: mmap,
			English: "mmap refuses to write through a file opened for reading with EPERM.",
			Chinese: "mmap 以 EPERM 拒绝通过只读打开的文件写入。",
			Act:     func(c *Call) { c.report("EACCES", "EPERM") },
		},
		{
			Name: "memlock-enomem", Calls: mmap,
			English: "MAP_LOCKED beyond RLIMIT_MEMLOCK is refused with ENOMEM.",
			Chinese: "超出 RLIMIT_MEMLOCK 的 MAP_LOCKED 以 ENOMEM 拒绝。",
			Act:     func(c *Call) { c.report("EAGAIN", "ENOMEM") },
		},
	}
}
