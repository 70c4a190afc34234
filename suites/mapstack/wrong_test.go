package mapstack

import (
	"slices"
	"strings"

	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

var (
	all, fails, set = recorded.All, recorded.Fails, recorded.Shows

	succeeds = func(step string) recorded.Answer { return recorded.Succeeds(step, "0x7f0000000000") }
)

// flag adds a word to VmFlags, or with a minus removes it.
func flag(step, key, word string) recorded.Answer {
	return recorded.Answer{Step: step, Change: func(o *wire.Observation) {
		words := strings.Fields(o.Values[key])
		if gone, remove := strings.CutPrefix(word, "-"); remove {
			words = slices.DeleteFunc(words, func(w string) bool { return w == gone })
		} else {
			words = append(words, word)
		}
		o.Values[key] = strings.Join(words, " ")
	}}
}

// wrong returns, by claim, the answers that must turn it red.
func wrong() recorded.Defects {
	return recorded.Defects{
		"MS-001": {
			"refused":         all(fails("map.8m", 12, "ENOMEM")),
			"address is zero": all(recorded.Succeeds("map.1p", "0x0")),
			"not aligned":     all(recorded.Succeeds("map.1p", "0x7f0000000800")),
		},
		"MS-002": {
			"silently read-only in maps": all(set("map.1p", "perms", "r--p")),
			"write faults":               all(set("map.8p", "first", "fault")),
			"write is lost at the end":   all(set("map.8m", "last", "wrote 0xa5, read 0x0")),
		},
		"MS-003": {
			"refused to users":  all(fails("unprivileged.map.1p", 1, "EPERM")),
			"faults for users":  all(set("unprivileged.map.8m", "last", "fault")),
			"protection is cut": all(set("unprivileged.map.8p", "perms", "r--p")),
		},
		"MS-004": {
			"unsupported":           all(fails("prot.0", 95, "EOPNOTSUPP")),
			"unimplemented":         all(fails("file.shared_validate", 38, "ENOSYS")),
			"unsupported for users": all(fails("unprivileged.map.1p", 95, "EOPNOTSUPP")),
		},
		"MS-005": {
			"locked":      all(flag("compare.stack", "vmflags", "lo")),
			"not counted": all(flag("compare.stack", "vmflags", "-ac")),
			"protection":  all(set("compare.stack", "perms", "r--p")),
			"name":        all(set("compare.stack", "name", "[stack]")),
			"populated":   all(set("compare.stack", "resident", "16")),
		},
		"MS-006": {
			"merged although nh": all(recorded.Answer{Step: "merge.stack", Change: func(o *wire.Observation) {
				o.Values["left.end"] = o.Values["right.end"]
			}}),
			"plain not merged": all(set("merge.plain", "left.end", "0x1000")),
		},
		"MS-007": {
			"refused":                  all(fails("file.shared", 22, "EINVAL")),
			"shared write is lost":     all(set("file.shared", "file", "0")),
			"private write reaches it": all(set("file.private", "file", "165")),
			"validated write is lost":  all(set("file.shared_validate", "file", "0")),
			"faults":                   all(set("file.private", "last", "fault")),
		},
		"MS-008": {
			"exec dropped":  all(set("prot.5", "perms", "r--p")),
			"read added":    all(set("prot.2", "perms", "rw-p")),
			"none refused":  all(fails("prot.0", 22, "EINVAL")),
			"none readable": all(set("prot.0", "perms", "r--p")),
		},
		"MS-009": {
			"shared refused":    all(fails("type.shared", 22, "EINVAL")),
			"validate accepted": all(succeeds("type.shared_validate")),
			"none accepted":     all(succeeds("type.none")),
			"another error":     all(fails("type.none", 95, "EOPNOTSUPP")),
		},
		"MS-010": {
			"never": all(flag("compare.stack", "vmflags", "-nh")),
		},
		"MS-017": {
			"one size without nh":        all(flag("map.8p", "vmflags", "-nh")),
			"file without nh":            all(flag("file.shared", "vmflags", "-nh")),
			"plain with nh":              all(flag("compare.plain", "vmflags", "nh")),
			"eligible for huge pages":    all(set("map.8m", "thpeligible", "1")),
			"glibc's stack without nh":   all(flag("glibc.mmap", "vmflags", "-nh")),
			"users' mappings without nh": all(flag("unprivileged.map.8m", "vmflags", "-nh")),
		},
		"MS-011": {
			"populated":     all(set("growth", "resident", "16")),
			"grows":         all(set("growth", "below.write", "ok")),
			"grown":         all(set("growth", "after.start", "0x1000")),
			"grows by flag": all(flag("growth", "vmflags", "gd")),
			"locked":        all(flag("growth", "vmflags", "lo")),
		},
		"MS-012": {
			"population is lost":      all(set("with.populate.stack", "resident", "0")),
			"nonblock populates":      all(set("with.nonblock.stack", "resident", "16")),
			"growth is lost":          all(flag("with.growsdown.stack", "vmflags", "-gd")),
			"no reserve is lost":      all(flag("with.noreserve.stack", "vmflags", "-nr")),
			"huge pages appear":       all(succeeds("with.hugetlb.stack")),
			"huge pages, other error": all(fails("with.hugetlb.stack", 22, "EINVAL")),
			"both populations lost":   all(set("with.populate.plain", "resident", "0"), set("with.populate.stack", "resident", "0")),
		},
		"MS-013": {"named": all(set("map.8m", "name", "[stack:123]"))},
		"MS-014": {
			"mips' stack is accepted as one": all(succeeds("number.0x40000")),
			"alpha's stack populates":        all(set("number.0x80000", "resident", "16")),
			"alpha's stack is a stack":       all(flag("number.0x80000", "vmflags", "nh")),
			"our own is refused":             all(fails("number.0x20000", 22, "EINVAL")),
			"our own populates":              all(set("number.0x20000", "resident", "16")),
		},
		"MS-015": {
			"advice refused":     all(fails("thp.hugepage", 22, "EINVAL")),
			"hg does not come":   all(flag("thp.hugepage", "vmflags", "-hg")),
			"nh stays":           all(flag("thp.hugepage", "vmflags", "nh")),
			"nh does not return": all(flag("thp.nohugepage", "vmflags", "-nh")),
		},
		"MS-016": {
			"mips' word maps memory":   all(succeeds("word.0x40802")),
			"alpha's word maps memory": all(succeeds("word.0x80012")),
			"another error":            all(fails("word.0x40802", 22, "EINVAL")),
		},
		"PR-001": {
			"none is readable":         all(set("access.stack.0", "read.first", "ok")),
			"read-only is writable":    all(set("access.plain.1", "write.last", "ok")),
			"writable memory faults":   all(set("access.stack.3", "write.last", "fault")),
			"executable is unreadable": all(set("access.plain.5", "read.first", "fault")),
			"refused":                  all(fails("access.stack.7", 13, "EACCES")),
		},
		"PR-002": {
			"write refused":          all(fails("mprotect.1", 13, "EACCES")),
			"write silently dropped": all(set("mprotect.1", "perms", "r--p")),
			"write does not work":    all(set("mprotect.6", "last", "fault")),
			"nh is lost":             all(flag("mprotect.3", "vmflags", "-nh")),
		},
		"PR-003": {
			"none looks unmapped":   all(set("death.none", "stderr", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x1 pc=0x1]")),
			"unmapped looks mapped": all(set("death.unmapped", "stderr", "[signal SIGSEGV: segmentation violation code=0x2 addr=0x1 pc=0x1]")),
			"no signal":             all(set("death.readonly", "exit", "0")),
			"another signal":        all(set("death.none", "stderr", "[signal SIGBUS: bus error code=0x2 addr=0x1 pc=0x1]")),
		},
		"PR-006": {
			"refused":             all(fails("access.stack.7", 13, "EACCES")),
			"exec dropped":        all(set("prot.7", "perms", "rw-p")),
			"write does not work": all(set("access.stack.7", "write.first", "fault")),
		},
		"PR-007": {
			"mmap does not follow":     all(set("implied.map", "perms", "r--p")),
			"mprotect does not follow": all(set("implied.mprotect", "perms", "rw-p")),
		},
		"PR-009": {
			"open refused":         all(fails("glibc.mprotect", 12, "ENOMEM")),
			"top faults":           all(set("glibc.mprotect", "top", "fault")),
			"guard is writable":    all(set("glibc.mprotect", "guard.write", "ok")),
			"guard is readable":    all(set("glibc.mprotect", "guard.read", "ok")),
			"nh is lost":           all(flag("glibc.mprotect", "stack.vmflags", "-nh")),
			"stack stays mapped":   all(set("glibc.munmap", "read", "ok")),
			"silently read-only":   all(set("glibc.mprotect", "stack.perms", "r--p")),
			"unmapping is refused": all(fails("glibc.munmap", 22, "EINVAL")),
		},
		"PR-010": {
			"nh appears":        all(flag("musl.mprotect", "stack.vmflags", "nh")),
			"bottom faults":     all(set("musl.mprotect", "bottom", "fault")),
			"guard is writable": all(set("musl.mprotect", "guard.write", "ok")),
		},
		"PR-011": {
			"content survives":  all(set("dontneed", "byte", "165")),
			"pages stay":        all(set("dontneed", "resident", "1")),
			"not writable then": all(set("dontneed", "again", "fault")),
			"nh is lost":        all(flag("dontneed", "vmflags", "-nh")),
			"refused":           all(fails("dontneed", 22, "EINVAL")),
		},
		"PR-013": {
			"another error for it":    all(fails("mdwe.get", 1, "EPERM")),
			"stack escapes at mmap":   all(succeeds("mdwe.map.stack")),
			"stack escapes at change": all(succeeds("mdwe.mprotect.stack")),
			"plain escapes":           all(succeeds("mdwe.map.plain")),
			"another error":           all(fails("mdwe.map.stack", 1, "EPERM")),
		},
		"PR-014": {
			"another error":      all(fails("guard.install", 1, "EPERM")),
			"splits the mapping": all(set("guard.install", "start", "0x10000"), set("guard.install", "end", "0x11000")),
			"guard does nothing": all(set("guard.install", "guard", "ok")),
			"neighbour faults":   all(set("guard.install", "after", "fault")),
			"changes the map":    all(set("guard.install", "perms", "---p")),
		},
		"PR-015": {
			"no PR_SET_MDWE":        all(fails("mdwe.get", 22, "EINVAL")),
			"no MADV_GUARD_INSTALL": all(fails("guard.install", 22, "EINVAL")),
		},
	}
}
