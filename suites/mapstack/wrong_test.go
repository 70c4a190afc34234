package mapstack

import "github.com/mapstack/conformance/poc/wire"

// wrong is, for each claim, what must turn it red.
func wrong() map[string]map[string]change {
	return map[string]map[string]change{
		"MS-001": {
			"refused":         fails("map.8m", 12, "ENOMEM"),
			"address is zero": func(t *wire.Transcript) { step(t, "map.1p").Ret = "0x0" },
			"not aligned":     func(t *wire.Transcript) { step(t, "map.1p").Ret = "0x7f0000000800" },
		},
		"MS-002": {
			"silently read-only in maps": set("map.1p", "perms", "r--p"),
			"write faults":               set("map.8p", "first", "fault"),
			"write is lost at the end":   set("map.8m", "last", "wrote 0xa5, read 0x0"),
		},
		"MS-003": {
			"refused to users":  fails("unprivileged.map.1p", 1, "EPERM"),
			"faults for users":  set("unprivileged.map.8m", "last", "fault"),
			"protection is cut": set("unprivileged.map.8p", "perms", "r--p"),
		},
		"MS-004": {
			"unsupported":           fails("prot.0", 95, "EOPNOTSUPP"),
			"unimplemented":         fails("file.shared_validate", 38, "ENOSYS"),
			"unsupported for users": fails("unprivileged.map.1p", 95, "EOPNOTSUPP"),
		},
		"MS-005": {
			"locked":      flag("compare.stack", "vmflags", "lo"),
			"not counted": flag("compare.stack", "vmflags", "-ac"),
			"protection":  set("compare.stack", "perms", "r--p"),
			"name":        set("compare.stack", "name", "[stack]"),
			"populated":   set("compare.stack", "resident", "16"),
		},
		"MS-006": {
			"merged although nh": func(t *wire.Transcript) {
				o := step(t, "merge.stack")
				o.Values["left.end"] = o.Values["right.end"]
			},
			"plain not merged": set("merge.plain", "left.end", "0x1000"),
		},
		"MS-007": {
			"refused":                  fails("file.shared", 22, "EINVAL"),
			"shared write is lost":     set("file.shared", "file", "0"),
			"private write reaches it": set("file.private", "file", "165"),
			"validated write is lost":  set("file.shared_validate", "file", "0"),
			"faults":                   set("file.private", "last", "fault"),
		},
		"MS-008": {
			"exec dropped":  set("prot.5", "perms", "r--p"),
			"read added":    set("prot.2", "perms", "rw-p"),
			"none refused":  fails("prot.0", 22, "EINVAL"),
			"none readable": set("prot.0", "perms", "r--p"),
		},
		"MS-009": {
			"shared refused":    fails("type.shared", 22, "EINVAL"),
			"validate accepted": succeeds("type.shared_validate"),
			"none accepted":     succeeds("type.none"),
			"another error":     fails("type.none", 95, "EOPNOTSUPP"),
		},
		"MS-010": {
			"never": flag("compare.stack", "vmflags", "-nh"),
		},
		"MS-017": {
			"one size without nh":        flag("map.8p", "vmflags", "-nh"),
			"file without nh":            flag("file.shared", "vmflags", "-nh"),
			"plain with nh":              flag("compare.plain", "vmflags", "nh"),
			"eligible for huge pages":    set("map.8m", "thpeligible", "1"),
			"glibc's stack without nh":   flag("glibc.mmap", "vmflags", "-nh"),
			"users' mappings without nh": flag("unprivileged.map.8m", "vmflags", "-nh"),
		},
		"MS-011": {
			"populated":     set("growth", "resident", "16"),
			"grows":         set("growth", "below.write", "ok"),
			"grown":         set("growth", "after.start", "0x1000"),
			"grows by flag": flag("growth", "vmflags", "gd"),
			"locked":        flag("growth", "vmflags", "lo"),
		},
		"MS-012": {
			"population is lost":      set("with.populate.stack", "resident", "0"),
			"nonblock populates":      set("with.nonblock.stack", "resident", "16"),
			"growth is lost":          flag("with.growsdown.stack", "vmflags", "-gd"),
			"no reserve is lost":      flag("with.noreserve.stack", "vmflags", "-nr"),
			"huge pages appear":       succeeds("with.hugetlb.stack"),
			"huge pages, other error": fails("with.hugetlb.stack", 22, "EINVAL"),
			"both populations lost": func(t *wire.Transcript) {
				set("with.populate.plain", "resident", "0")(t)
				set("with.populate.stack", "resident", "0")(t)
			},
		},
		"MS-013": {"named": set("map.8m", "name", "[stack:123]")},
		"MS-014": {
			"mips' stack is accepted as one": succeeds("number.0x40000"),
			"alpha's stack populates":        set("number.0x80000", "resident", "16"),
			"alpha's stack is a stack":       flag("number.0x80000", "vmflags", "nh"),
			"our own is refused":             fails("number.0x20000", 22, "EINVAL"),
			"our own populates":              set("number.0x20000", "resident", "16"),
		},
		"MS-015": {
			"advice refused":     fails("thp.hugepage", 22, "EINVAL"),
			"hg does not come":   flag("thp.hugepage", "vmflags", "-hg"),
			"nh stays":           flag("thp.hugepage", "vmflags", "nh"),
			"nh does not return": flag("thp.nohugepage", "vmflags", "-nh"),
		},
		"MS-016": {
			"mips' word maps memory":   succeeds("word.0x40802"),
			"alpha's word maps memory": succeeds("word.0x80012"),
			"another error":            fails("word.0x40802", 22, "EINVAL"),
		},
		"PR-001": {
			"none is readable":         set("access.stack.0", "read.first", "ok"),
			"read-only is writable":    set("access.plain.1", "write.last", "ok"),
			"writable memory faults":   set("access.stack.3", "write.last", "fault"),
			"executable is unreadable": set("access.plain.5", "read.first", "fault"),
			"refused":                  fails("access.stack.7", 13, "EACCES"),
		},
		"PR-002": {
			"write refused":          fails("mprotect.1", 13, "EACCES"),
			"write silently dropped": set("mprotect.1", "perms", "r--p"),
			"write does not work":    set("mprotect.6", "last", "fault"),
			"nh is lost":             flag("mprotect.3", "vmflags", "-nh"),
		},
		"PR-003": {
			"none looks unmapped":   set("death.none", "stderr", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x1 pc=0x1]"),
			"unmapped looks mapped": set("death.unmapped", "stderr", "[signal SIGSEGV: segmentation violation code=0x2 addr=0x1 pc=0x1]"),
			"no signal":             set("death.readonly", "exit", "0"),
			"another signal":        set("death.none", "stderr", "[signal SIGBUS: bus error code=0x2 addr=0x1 pc=0x1]"),
		},
		"PR-006": {
			"refused":             fails("access.stack.7", 13, "EACCES"),
			"exec dropped":        set("prot.7", "perms", "rw-p"),
			"write does not work": set("access.stack.7", "write.first", "fault"),
		},
		"PR-007": {
			"mmap does not follow":     set("implied.map", "perms", "r--p"),
			"mprotect does not follow": set("implied.mprotect", "perms", "rw-p"),
		},
		"PR-009": {
			"open refused":         fails("glibc.mprotect", 12, "ENOMEM"),
			"top faults":           set("glibc.mprotect", "top", "fault"),
			"guard is writable":    set("glibc.mprotect", "guard.write", "ok"),
			"guard is readable":    set("glibc.mprotect", "guard.read", "ok"),
			"nh is lost":           flag("glibc.mprotect", "stack.vmflags", "-nh"),
			"stack stays mapped":   set("glibc.munmap", "read", "ok"),
			"silently read-only":   set("glibc.mprotect", "stack.perms", "r--p"),
			"unmapping is refused": fails("glibc.munmap", 22, "EINVAL"),
		},
		"PR-010": {
			"nh appears":        flag("musl.mprotect", "stack.vmflags", "nh"),
			"bottom faults":     set("musl.mprotect", "bottom", "fault"),
			"guard is writable": set("musl.mprotect", "guard.write", "ok"),
		},
		"PR-011": {
			"content survives":  set("dontneed", "byte", "165"),
			"pages stay":        set("dontneed", "resident", "1"),
			"not writable then": set("dontneed", "again", "fault"),
			"nh is lost":        flag("dontneed", "vmflags", "-nh"),
			"refused":           fails("dontneed", 22, "EINVAL"),
		},
		"PR-013": {
			"another error for it":    fails("mdwe.get", 1, "EPERM"),
			"stack escapes at mmap":   succeeds("mdwe.map.stack"),
			"stack escapes at change": succeeds("mdwe.mprotect.stack"),
			"plain escapes":           succeeds("mdwe.map.plain"),
			"another error":           fails("mdwe.map.stack", 1, "EPERM"),
		},
		"PR-014": {
			"another error": fails("guard.install", 1, "EPERM"),
			"splits the mapping": func(t *wire.Transcript) {
				o := step(t, "guard.install")
				o.Values["start"], o.Values["end"] = "0x10000", "0x11000"
			},
			"guard does nothing": set("guard.install", "guard", "ok"),
			"neighbour faults":   set("guard.install", "after", "fault"),
			"changes the map":    set("guard.install", "perms", "---p"),
		},
		"PR-015": {
			"no PR_SET_MDWE":        fails("mdwe.get", 22, "EINVAL"),
			"no MADV_GUARD_INSTALL": fails("guard.install", 22, "EINVAL"),
		},
	}
}
