package limits

import "github.com/mapstack/conformance/suites/internal/recorded"

var (
	all, becomes, set = recorded.All, recorded.Fails, recorded.Shows

	succeeds = func(step string) recorded.Answer { return recorded.Succeeds(step, "0x63") }
)

// wrong returns, by claim, the answers that must turn it red.
func wrong() recorded.Defects {
	const user = "nproc.user."
	return recorded.Defects{
		"LM-001": {
			"limit is ignored":      all(succeeds(user + "refused")),
			"wrong errno":           all(becomes(user+"refused", 12, "ENOMEM")),
			"one too many":          all(set(user+"refused", "made", "9")),
			"one too few":           all(set(user+"refused", "made", "7")),
			"children were no more": all(set(user+"ended", "killed", "0")),
		},
		"LM-101": {
			"no recovery":              all(becomes(user+"again", 11, "EAGAIN")),
			"more than one comes back": all(succeeds(user + "full")),
			"refused for ever":         all(becomes(user+"recovered", 11, "EAGAIN")),
		},
		"LM-102": {
			"the dead do not count":   all(succeeds(user + "zombie.refused")),
			"some of the dead do not": all(set(user+"zombie.refused", "made", "9"), set(user+"zombie.refused", "dead", "9")),
			"no recovery":             all(becomes(user+"zombie.again", 11, "EAGAIN")),
		},
		"LM-024": {
			"limit is ignored": all(succeeds(user + "exec.refused")),
			"wrong errno":      all(becomes(user+"exec.refused", 12, "ENOMEM")),
			"no recovery":      all(becomes(user+"exec.again", 11, "EAGAIN")),
		},
		"LM-025": {
			"execve says nothing": all(succeeds("setuid.exec")),
			"wrong errno":         all(becomes("setuid.exec", 1, "EPERM")),
			"setuid fails":        all(becomes("setuid.setuid", 11, "EAGAIN")),
		},
		"LM-121": {"refused for ever": all(becomes("setuid.executed.who", 11, "EAGAIN"))},
		"LM-002": {
			"root is limited":                all(becomes("nproc.root.filled", 11, "EAGAIN")),
			"root is limited without caps":   all(becomes("nproc.nocaps.in.filled", 11, "EAGAIN")),
			"the processes were never there": all(set("nproc.root.ended", "killed", "1")),
		},
		"LM-003": {
			"CAP_SYS_RESOURCE does not exempt": all(becomes("nproc.resource.filled", 11, "EAGAIN")),
			"CAP_SYS_ADMIN does not exempt":    all(becomes("nproc.admin.filled", 11, "EAGAIN")),
		},
		"LM-026": {
			"clone succeeds": all(succeeds("deadline.clone")),
			"wrong errno":    all(becomes("deadline.clone", 1, "EPERM")),
			"no recovery":    all(becomes("deadline.normal.clone", 11, "EAGAIN")),
		},
		"LM-122": {"the flag does nothing": all(becomes("deadline.reset.clone", 11, "EAGAIN"))},
		"LM-004": {
			"the namespace exempts": all(succeeds("nproc.usersns.in.refused")),
			"the limit is passed":   all(set("nproc.usersns.in.refused", "made", "24")),
		},
		"LM-103": {"counted together": all(set("nproc.usersns.in.refused", "made", "8"))},
		"LM-104": {"root is limited": all(becomes("nproc.rootsns.filled", 11, "EAGAIN"))},
		"CL-017": {
			"the namespace lives on": all(succeeds("deadns.fork")),
			"wrong errno":            all(becomes("deadns.fork", 11, "EAGAIN")),
			"no first process":       all(becomes("deadns.init", 12, "ENOMEM")),
		},
		"CL-101": {"the process cannot fork at all": all(becomes("deadns.elsewhere", 12, "ENOMEM"))},
		"LM-008": {"this namespace's too": all(set("pidns.outside", "after", "12345"))},
		"CL-018": {"refused": all(becomes("userns.plain", 1, "EPERM"))},
		"CL-102": {
			"the sysctl does nothing": all(succeeds("userns.debian.clone")),
			"wrong errno":             all(becomes("userns.debian.clone", 28, "ENOSPC")),
		},
		"CL-103": {
			"limit is ignored":  all(succeeds("userns.refused")),
			"one too many":      all(set("userns.refused", "made", "9")),
			"wrong errno":       all(becomes("userns.refused", 11, "EAGAIN")),
			"0 means unlimited": all(succeeds("userns.zero.clone")),
		},
		"CL-104": {"no recovery": all(becomes("userns.again", 28, "ENOSPC"))},
		"LM-005": {"another ratio": all(set("defaults", "nproc", "3455"))},
		"LM-105": {
			"not derived from memory": all(set("defaults", "threads-max", "62914")),
			"hardly any thread":       all(set("defaults", "threads-max", "10")),
			"an eighth of what fits":  all(set("defaults", "threads-max", "600")),
		},
		"LM-006": {
			"limit is ignored":     all(succeeds("threadsmax.refused")),
			"wrong errno":          all(becomes("threadsmax.refused", 12, "ENOMEM")),
			"one too many":         all(set("threadsmax.refused", "made", "9")),
			"refused before it is": all(set("threadsmax.refused", "after", "1")),
		},
		"LM-106": {
			"0 is accepted": all(succeeds("threadsmax.zero")),
			"1 is an error": all(becomes("threadsmax.one", 5, "EIO")),
			"1 is ignored":  all(succeeds("threadsmax.one.clone")),
		},
		"LM-123": {"1 is rejected": all(becomes("threadsmax.one", 22, "EINVAL"))},
		"LM-107": {
			"no recovery":              all(becomes("threadsmax.again", 11, "EAGAIN")),
			"more than one comes back": all(succeeds("threadsmax.full")),
			"refused for ever":         all(becomes("threadsmax.recovered", 11, "EAGAIN")),
		},
		"LM-007": {
			"limit is ignored":     all(succeeds("pidmax.refused")),
			"wrong errno":          all(becomes("pidmax.refused", 12, "ENOMEM")),
			"IDs beyond the limit": all(set("pidmax.refused", "outside", "1")),
		},
		"LM-125": {
			"refused with IDs to give": all(set("pidmax.refused", "free", "1")),
			"reserved IDs are given":   all(set("pidmax.refused", "reserved", "1")),
		},
		"LM-108": {
			"another ID":       all(succeeds("pidmax.again")),
			"no recovery":      all(becomes("pidmax.again", 11, "EAGAIN")),
			"refused for ever": all(becomes("pidmax.recovered", 11, "EAGAIN")),
		},
		"LM-109": {
			"300 is accepted": all(succeeds("pidmax.300")),
			"301 is rejected": all(becomes("pidmax.301", 22, "EINVAL")),
		},
		"LM-009": {
			"limit is ignored": all(succeeds("pids.leaf.refused")),
			"wrong errno":      all(becomes("pids.leaf.refused", 12, "ENOMEM")),
			"one too many":     all(set("pids.leaf.refused", "made", "9")),
			"not counted":      all(set("pids.leaf.refused", "current", "1")),
		},
		"LM-110": {
			"no recovery":              all(becomes("pids.leaf.again", 11, "EAGAIN")),
			"more than one comes back": all(succeeds("pids.leaf.full")),
			"raising does nothing":     all(becomes("pids.leaf.raised", 11, "EAGAIN")),
		},
		"LM-111": {
			"negative accepted": all(succeeds("pids.text.negative")),
			"max rejected":      all(becomes("pids.text.max", 22, "EINVAL")),
			"max not kept":      all(set("pids.text.max", "value", "-1")),
		},
		"LM-010": {
			"not counted":   all(set("pids.leaf.events", "max", "0")),
			"counted twice": all(set("pids.leaf.events", "max", "4")),
		},
		"LM-012": {
			"cannot be entered": all(becomes("pids.zero.enter", 11, "EAGAIN")),
			"0 means unlimited": all(succeeds("pids.zero.clone")),
			"no recovery":       all(becomes("pids.zero.left", 11, "EAGAIN")),
		},
		"LM-014": {
			"processes are killed": all(set("pids.lowered", "alive", "0")),
			"clone still works":    all(succeeds("pids.lowered")),
			"moved out":            all(set("pids.lowered", "current", "0")),
		},
		"LM-022": {
			"clone says ENOMEM": all(set("memory.child", "stderr", "runtime: failed to create new OS thread (have 300 already; errno=12)")),
			"not an OOM kill":   all(set("memory.events", "events.oom_kill", "0")),
			"another signal":    all(set("memory.child", "signal", "segmentation fault")),
			"all memory gone":   all(becomes("memory.recovered", 12, "ENOMEM")),
		},
		"LM-011": {
			"the outer limit is ignored": all(succeeds("pids.nested.refused")),
			"one too many":               all(set("pids.nested.refused", "made", "9")),
			"no recovery":                all(becomes("pids.nested.again", 11, "EAGAIN")),
		},
		"LM-112": {
			"counted in neither":       all(set("pids.nested.events", "outer", "0")),
			"counted in both":          all(set("pids.nested.events", "inner", "2")),
			"not as the group's own":   all(set("pids.nested.events", "outer.local", "0")),
			"as the inner group's own": all(set("pids.nested.events", "inner.local", "2")),
		},
		"LM-013": {
			"limit is ignored": all(succeeds("v1.pids.leaf.refused")),
			"one too many":     all(set("v1.pids.leaf.refused", "made", "9")),
			"not counted":      all(set("v1.pids.leaf.events", "max", "0")),
		},
		"LM-113": {
			"the outer limit is ignored": all(succeeds("v1.pids.nested.refused")),
			"counted as in version 2":    all(set("v1.pids.nested.events", "inner", "0")),
		},
		"LM-015": {
			"a stack escapes":      all(succeeds("as.stack")),
			"a reservation does":   all(succeeds("as.none noreserve")),
			"limit comes too soon": all(becomes("as.room", 12, "ENOMEM")),
			"wrong errno":          all(becomes("as.plain", 11, "EAGAIN")),
			"no recovery":          all(becomes("as.again.plain", 12, "ENOMEM")),
		},
		"LM-016": {
			"clone is limited by RLIMIT_AS":   all(becomes("as.clone", 12, "ENOMEM")),
			"clone is limited by RLIMIT_DATA": all(becomes("data.clone", 11, "EAGAIN")),
		},
		"LM-018": {
			"a stack escapes":         all(succeeds("data.stack")),
			"mprotect escapes":        all(succeeds("data.mprotect")),
			"limit comes too soon":    all(becomes("data.room", 12, "ENOMEM")),
			"memory does not work":    all(set("data.again.plain", "last", "fault")),
			"MAP_NORESERVE is exempt": all(succeeds("data.noreserve")),
		},
		"LM-114": {
			"shared memory counts": all(becomes("data.shared", 12, "ENOMEM")),
			"reservations count":   all(becomes("data.none", 12, "ENOMEM")),
		},
		"LM-019": {
			"MAP_STACK is limited":        all(becomes("stack.stack", 12, "ENOMEM")),
			"MAP_GROWSDOWN is not usable": all(set("stack.growsdown", "first", "fault")),
			"clone is limited":            all(becomes("stack.clone", 11, "EAGAIN")),
			"threads do not come":         all(set("stack.threads", "after", "6")),
		},
		"LM-023": {
			"RLIMIT_NPROC is another": all(set("numbers.RLIMIT_NPROC", "lines", "Max locked memory")),
			"RLIMIT_AS sets nothing":  all(set("numbers.RLIMIT_AS", "lines", "")),
			"number is unknown":       all(becomes("numbers.RLIMIT_RSS", 22, "EINVAL")),
		},
		"LM-020": {
			"the heuristic refuses nothing":  all(succeeds("overcommit.0.plain")),
			"MAP_NORESERVE is not exempt":    all(becomes("overcommit.0.noreserve", 12, "ENOMEM")),
			"MAP_STACK is not accounted for": all(succeeds("overcommit.0.stack")),
		},
		"LM-124": {"the heuristic refuses less": all(becomes("overcommit.0.fits.plain", 12, "ENOMEM"))},
		"LM-115": {"refused": all(becomes("overcommit.1.plain", 12, "ENOMEM"))},
		"LM-116": {
			"MAP_NORESERVE is exempt": all(succeeds("overcommit.2.noreserve")),
			"mprotect escapes":        all(succeeds("overcommit.2.mprotect")),
			"read-only is refused":    all(becomes("overcommit.2.readonly", 12, "ENOMEM")),
		},
		"LM-117": {
			"the copy is not accounted for": all(succeeds("overcommit.2.fork")),
			"wrong errno":                   all(becomes("overcommit.2.fork", 11, "EAGAIN")),
			"no recovery":                   all(becomes("overcommit.2.fork.again", 12, "ENOMEM")),
		},
		"LM-118": {
			"threads do not come": all(set("overcommit.2.threads", "after", "12")),
			"a thread is counted": all(becomes("overcommit.2.thread", 12, "ENOMEM")),
		},
		"LM-021": {
			"limit is ignored": all(succeeds("mapcount.refused")),
			"wrong errno":      all(becomes("mapcount.refused", 11, "EAGAIN")),
			"one too few":      all(set("mapcount.refused", "max", "64")),
		},
		"LM-119": {
			"split all the same":      all(succeeds("mapcount.split")),
			"half done":               all(set("mapcount.split", "middle", "fault")),
			"no guard after recovery": all(set("mapcount.recovered", "middle", "ok")),
		},
		"LM-120": {
			"no recovery":              all(becomes("mapcount.again", 12, "ENOMEM")),
			"more than one comes back": all(succeeds("mapcount.full")),
		},
	}
}
