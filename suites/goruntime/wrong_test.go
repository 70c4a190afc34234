package goruntime

import "github.com/mapstack/conformance/suites/internal/recorded"

var all, becomes, shows = recorded.All, recorded.Fails, recorded.Shows

// fine shows that the program of a cause ended with status 0.
func fine(cause string) recorded.Answer { return shows(cause+".end", "exit", "0") }

// says gives the program of a cause another text.
func says(cause, text string) recorded.Answer { return shows(cause+".end", "text", text) }

const first = "runtime: failed to create new OS thread (have 15 already; errno="

// wrong returns, by claim, the answers that must turn it red.
func wrong() recorded.Defects {
	return recorded.Defects{
		"GR-101": {
			"RLIMIT_NPROC is ignored": all(recorded.Succeeds("nproc.clone", "0x63")),
			"wrong errno":             all(becomes("threads-max.clone", 12, "ENOMEM")),
			"alpha's errno":           all(becomes("pid_max.clone", 35, "EDEADLK")),
		},
		"GR-114": {
			"pids.max is ignored": all(recorded.Succeeds("pids.clone", "0x63")),
			"the outer one is":    all(recorded.Succeeds("nested.clone", "0x63")),
			"wrong errno":         all(becomes("pids.clone", 12, "ENOMEM")),
		},
		"GR-115": {
			"the group stays full": all(shows("pids.again.end", "exit", "2")),
			"the outer one does":   all(shows("nested.again.up", "threads", "12")),
		},
		"GR-116": {
			"it is killed again": all(shows("memory.again.end", "signal", "killed")),
			"threads are gone":   all(shows("memory.again.up", "threads", "7")),
		},
		"GR-102": {
			"no recovery":           all(shows("nproc.again.end", "exit", "2")),
			"it hangs":              all(shows("pid_max.again.end", "hung", "true")),
			"some threads are gone": all(shows("threads-max.again.up", "threads", "12")),
		},
		"GR-103": {
			"the filter is ignored": all(recorded.Succeeds("seccomp ENOSYS.clone", "0x63")),
			"another number":        all(becomes("seccomp EOPNOTSUPP.clone", 122, "EDQUOT")),
		},
		"GR-009": {
			"asked once":             all(shows("nproc.clone", "refused", "1")),
			"asked too often":        all(shows("pids.clone", "refused", "21")),
			"ENOMEM is asked again":  all(shows("seccomp ENOMEM.clone", "refused", "20")),
			"a filter is asked once": all(shows("seccomp EAGAIN.clone", "refused", "1")),
		},
		"GR-109": {
			"without a pause":   all(shows("pid_max.clone", "milliseconds", "19")),
			"one pause too few": all(shows("seccomp EAGAIN.clone", "milliseconds", "171")),
		},
		"GR-104": {
			"it dies all the same":    all(shows("lifted.end", "exit", "2")),
			"it is refused until":     all(shows("lifted.clone", "refused", "20")),
			"it was never refused":    all(recorded.Succeeds("lifted.clone", "0x63")),
			"threads are still amiss": all(shows("lifted.up", "threads", "12")),
		},
		"GR-010": {
			"it hangs":         all(shows("nproc.end", "hung", "true")),
			"it says nothing":  all(says("nproc", "")),
			"nothing is asked": all(recorded.Succeeds("nproc.clone", "0x63")),
		},
		"GR-006": {
			"no hint":       all(says("nproc", first+"11)\nfatal error: newosproc\n")),
			"another errno": all(says("pids", first+"12)\n"+hint+fatal)),
			"no number":     all(says("nested", "runtime: failed to create new OS thread\n"+hint+fatal)),
			"nothing":       all(says("plain", "")),
			"it hangs":      all(shows("threads-max.end", "hung", "true")),
			"more lines":    all(says("pid_max", first+"11)\n"+hint+fatal+"exit status 2\n")),
			"not a newline": all(says("seccomp EAGAIN", first+"11)"+hint+fatal)),
		},
		"GR-105": {"fewer than live": all(says("nproc", "runtime: failed to create new OS thread (have 2 already; errno=11)\n"+hint+fatal))},
		"GR-007": {
			"the hint":     all(says("seccomp ENOMEM", first+"12)\n"+hint+fatal)),
			"another word": all(says("seccomp EPERM", first+"1)\nfatal error: newm\n")),
			"cut":          all(says("seccomp EINVAL", first+"22)\n")),
		},
		"IN-006": {
			"mips's errno": all(says("seccomp ENOSYS", first+"89)\n"+fatal)),
			"negated":      all(says("seccomp EPERM", first+"-1)\n"+fatal)),
			"alpha's":      all(says("seccomp EAGAIN", first+"35)\n"+hint+fatal)),
		},
		"GR-011": {
			"another than clone's":  all(becomes("seccomp EINVAL.clone", 1, "EPERM")),
			"another at the limits": all(says("nested", first+"12)\n"+hint+fatal)),
		},
		"GR-008": {
			"recover helps":  all(shows("nproc.end", "exit", "7")),
			"it goes on":     all(fine("seccomp EPERM")),
			"it is killed":   all(shows("plain.end", "signal", "aborted")),
			"it hangs":       all(shows("pids.end", "hung", "true")),
			"recover is run": all(says("seccomp ENOMEM", first+"12)\n"+fatal+"recovered: newosproc\n")),
		},
		"GR-106": {
			"it is taken for clone": all(says("as", first+"12)\n"+fatal)),
			"it says nothing":       all(says("as", "")),
			"another reason":        all(says("max_map_count", "fatal error: all goroutines are asleep - deadlock!\n")),
		},
		"GR-107": {
			"clone fails":        all(says("memory", first+"12)\n"+fatal)),
			"it hangs":           all(shows("memory.end", "hung", "true")),
			"another signal":     all(shows("memory.end", "signal", "aborted")),
			"not by this limit":  all(shows("memory.events", "limited.oom_kill", "0")),
			"another words wins": all(says("memory", "fatal error: out of memory\n")),
		},
		"GR-003": {
			"MAP_STACK":      all(shows("chain.mmap", "marked", "1")),
			"another flag":   all(shows("chain.mmap", "flags", "0x22 0x32 0x4022")),
			"another number": all(shows("chain.mmap", "flags", "0x802 0x812")),
		},
		"GR-004": {
			"another word":   all(shows("chain.clone", "flags", "0x50f00")),
			"two words":      all(shows("chain.clone", "flags", "0xd0f00 0x3d0f00")),
			"clone3":         all(shows("chain.clone3", "calls", "1")),
			"others as well": all(shows("chain.clone", "threads", "3")),
		},
		"GR-005": {
			"not by newosproc": all(shows("chain.cloning", "frames", "runtime.clone runtime.newm1 runtime.newm")),
			"another order":    all(shows("chain.cloning", "frames", "runtime.clone runtime.newm1 runtime.newosproc runtime.newm")),
			"another begin":    all(shows("chain.started", "frames", "runtime.sigaltstack runtime.minit main.main")),
			"nothing":          all(shows("chain.cloning", "frames", "")),
		},
		"GR-018": {
			"all are open":   all(shows("chain.clone", "open", "1 2 9 15 17 19 23")),
			"one more is":    all(shows("chain.clone", "open", "9 19 23")),
			"SIGKILL is not": all(shows("chain.clone", "open", "19 23")),
		},
		"IN-005": {
			"MAP_STACK of alpha": all(shows("strict.mmap", "flags", "0x22 0x32 0x80022 0x80032")),
			"none":               all(shows("fallback.mmap", "flags", "0x22 0x32")),
			"another flag":       all(shows("strict.mmap", "flags", "0x22 0x32 0x20022 0x20032 0x20122")),
			"for some threads":   all(shows("strict.mmap", "marked", "3")),
		},
		"IN-007": {"threads are gone": all(shows("clone3.up", "threads", "7"))},
		"GR-108": {
			"another caller": all(shows("nproc.end", "frames", "runtime.throw runtime.newosproc runtime.newm")),
			"another reason": all(shows("plain.end", "frames", "runtime.throw runtime.mallocgc")),
		},
		"GR-113": {
			"mapped by someone else": all(shows("chain.clone", "outside", "1")),
			"not writable":           all(shows("chain.clone", "unwritable", "1")),
			"a mapping for each":     all(shows("chain.clone", "mappings", "99")),
			"one for two":            all(shows("chain.clone", "stacks", "3")),
			"a guard":                all(shows("chain.mprotect", "prots", "0x0 0x3")),
		},
		"GR-012": {"GOMAXPROCS limits": all(shows("single.up", "threads", "5"))},
		"GR-013": {
			"another size":  all(shows("stacks.signal", "sizes", "8192")),
			"two sizes":     all(shows("stacks.signal", "sizes", "32768 65536")),
			"shared":        all(shows("stacks.signal", "stacks", "9")),
			"unmapped":      all(shows("stacks.signal", "mapped", "false")),
			"a mapping own": all(shows("stacks.signal", "start", "0x1000"), shows("stacks.signal", "end", "0x9000")),
		},
		"GR-014": {
			"all threads stay":   all(shows("exits.ended", "left", "30")),
			"one thread stays":   all(shows("exits.ended", "left", "1")),
			"there were no more": all(shows("exits.ended", "left", "0"), shows("exits.ended", "before", "6")),
			"they share threads": all(shows("exits.ended", "left", "0"), shows("exits.ended", "held", "3")),
		},
		"GR-015": {
			"another limit": all(shows("maximum", "stderr", "runtime: program exceeds 10000-thread limit\nfatal error: thread exhaustion\n")),
			"it goes on":    all(shows("maximum", "exit", "0")),
			"it hangs":      all(shows("maximum", "timedout", "true")),
			"it is killed":  all(shows("maximum", "signal", "killed")),
		},
	}
}

// wrongVariants returns the same for the claims of the variants probe.
func wrongVariants() recorded.Defects {
	const died = "runtime: failed to create new OS thread (have 2 already; errno="
	return recorded.Defects{
		"GR-110": {
			"refused":          all(shows("none.strict", "exit", "2")),
			"on the heap":      all(shows("none.fallback.generation 0", "mappings", "1")),
			"no guard":         all(shows("none.strict.generation 0", "guarded", "0")),
			"too few threads":  all(shows("none.strict.generation 0", "found", "5")),
			"killed":           all(shows("none.strict", "signal", "killed")),
			"it never returns": all(shows("none.fallback", "timedout", "true")),
		},
		"IN-001": {
			"not usable":   all(shows("none.detector.detect", "answer", "no")),
			"cannot tell":  all(shows("none.detector.detect", "answer", "could not tell")),
			"a dead asker": all(shows("none.detector", "exit", "2")),
		},
		"IN-008": {
			"all are hit":    all(shows("stack-read-only.stock", "exit", "2")),
			"stacks mapped":  all(shows("none.stock.generation 0", "mappings", "44")),
			"threads amiss":  all(shows("stack-enomem.stock.generation 0", "found", "5")),
			"a plain defect": all(shows("stack-einval.stock", "exit", "2")),
		},
		"GR-111": {
			"it lives":      all(shows("stack-eperm.strict", "exit", "0")),
			"another errno": all(shows("stack-einval.strict", "stderr", died+"12)\n"+fatal)),
			"another word":  all(shows("stack-enomem.strict", "stderr", died+"12)\nfatal error: out of memory\n")),
			"no text":       all(shows("stack-eopnotsupp.strict", "stderr", "")),
		},
		"GR-112": {
			"it lives":     all(shows("stack-read-only.strict", "exit", "0")),
			"another word": all(shows("stack-read-only.strict", "stderr", died+"12)\n"+fatal)),
		},
		"IN-002": {
			"it dies":          all(shows("stack-eperm.fallback", "exit", "2")),
			"mapped after all": all(shows("stack-einval.fallback.generation 0", "mappings", "45")),
			"not detected":     all(shows("stack-eopnotsupp.detector.detect", "answer", "yes")),
			"nothing injected": all(recorded.Succeeds("stack-eperm.detector.detect.stack", "0x7f0000000000")),
			"no threads":       all(shows("stack-eperm.detector.fallback.threads", "up", "12")),
		},
		"IN-003": {
			"it dies":        all(shows("stack-read-only.fallback", "exit", "2")),
			"not detected":   all(shows("stack-read-only.detector.detect", "finding", "usable")),
			"writable":       all(shows("stack-read-only.detector.detect.stack", "perms", "rw-p")),
			"not mended":     all(shows("stack-read-only.detector.detect.stack mended", "perms", "r--p")),
			"mended in name": all(shows("stack-read-only.detector.detect.stack mended", "write", "EFAULT")),
		},
		"IN-004": {
			"hidden":         all(shows("stack-enomem.fallback", "exit", "0")),
			"unsupported":    all(shows("stack-enomem.detector.detect", "answer", "no")),
			"other error":    all(shows("stack-enomem.fallback", "stderr", died+"22)\n"+fatal)),
			"the other one":  all(shows("stack-enomem.detector.fallback", "exit", "0")),
			"the asker dies": all(shows("stack-enomem.detector", "exit", "2")),
		},
	}
}
