package mapstack

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// later lists the claims whose steps came after the recordings.
var later = []string{"MS-018", "MS-019", "MS-020", "MS-021", "MS-022", "MS-023", "MS-024", "MS-025", "MS-026", "MS-027"}

// older is the suite without them.
func older() claim.Suite {
	suite := Suite()
	suite.Claims = slices.DeleteFunc(suite.Claims, func(c claim.Claim) bool { return slices.Contains(later, c.ID) })
	return suite
}

// made returns a recorded transcript with the steps that are not in the recordings, as
// amd64 with no-execute answers them.
func made(t *testing.T) wire.Transcript {
	_, tr := recorded.Kernel(t, usual, probe)
	tr.Observations = slices.DeleteFunc(slices.Clone(tr.Observations), func(o wire.Observation) bool {
		return slices.ContainsFunc(observations(), func(mine wire.Observation) bool { return mine.Step == o.Step })
	})
	tr.Observations = append(tr.Observations, observations()...)
	return tr
}

func observations() []wire.Observation {
	const at, fell = "0x7f0000000000", "[signal SIGSEGV: segmentation violation code=0x2 addr=0x7f0000000000 pc=0x7f0000000000]"
	list := []wire.Observation{
		{Step: "processor", Values: map[string]string{"nx": "true", "rixi": "false", "iep": "false", "noexec=off": "false"}},
		{Step: "huge", Values: map[string]string{"size": "0x200000", "free": "2"}},
		{Step: "lockall", Values: map[string]string{"exit": "0", "timedout": "false", "stderr": ""}},
		{Step: "lockall.call", Ret: "0x0"},
		{Step: "older.mmap", Ret: at, Values: map[string]string{"perms": "rw-p", "vmflags": "rd wr mr mw me ac nh"}},
		{Step: "older.mprotect", Ret: "0x0", Values: map[string]string{
			"stack.perms": "rw-p", "stack.vmflags": "rd wr mr mw me ac nh", "guard.perms": "---p", "guard.vmflags": "mr mw me nh",
			"top": "ok", "bottom": "ok", "guard.write": "fault", "guard.read": "fault"}},
		{Step: "high", Values: map[string]string{"hint": at, "bits": "46"}},
		{Step: "older.munmap", Ret: "0x0", Values: map[string]string{"read": "fault"}},
	}
	for kind, flags := range map[string]string{"plain": "rd wr mr mw me ac", "stack": "rd wr mr mw me ac nh"} {
		for way, perms := range map[string]string{"rw": "rw-p", "rx": "r-xp", "rwx": "rwxp", "x": "--xp", "opened": "rw-p"} {
			step, child := "run."+kind+"."+way, map[string]string{"exit": "0", "timedout": "false", "stderr": ""}
			list = append(list, wire.Observation{Step: step + ".map", Ret: at, Values: map[string]string{"perms": perms, "placed": "by /proc/self/mem"}})
			switch way {
			case "rw":
				child["exit"], child["stderr"] = "2", "fatal error: fault\n"+fell
			case "opened":
				list = append(list, wire.Observation{Step: step + ".mprotect", Ret: "0x0"})
			}
			if way != "rw" {
				list = append(list, wire.Observation{Step: step + ".returned", Values: map[string]string{"from": at}})
			}
			list = append(list, wire.Observation{Step: step, Values: child})
		}
		list = append(list,
			wire.Observation{Step: "huge." + kind, Ret: at, Values: map[string]string{"vmflags": "rd wr mr mw me de ht", "pagesize": "2048 kB", "first": "ok", "last": "ok"}},
			wire.Observation{Step: "resident." + kind, Ret: at, Values: map[string]string{
				"perms": "rw-p", "vmflags": flags, "before": "0", "before.rss": "0 kB", "store": "ok", "after": "1", "after.rss": "4 kB"}},
			wire.Observation{Step: "high." + kind, Ret: at, Values: map[string]string{"store": "ok"}},
			wire.Observation{Step: "lockall." + kind, Ret: at, Values: map[string]string{"vmflags": "rd wr mr mw me lo ac", "resident": "16"}},
			wire.Observation{Step: "fork." + kind, Ret: "0x7", Values: map[string]string{"mapped": "true", "held": "90", "perms": "rw-p", "vmflags": flags, "status": "0"}},
		)
		for _, how := range []string{"grow", "move"} {
			list = append(list, wire.Observation{Step: "remap." + how + "." + kind, Ret: at, Values: map[string]string{
				"before": "ok", "first": "165", "last": "ok", "perms": "rw-p", "old.vmflags": flags, "vmflags": flags, "there": "true", "left": "fault"}})
		}
	}
	return list
}

// faults makes a call end in a signal.
func faults(step string) recorded.Answer {
	return recorded.Answer{Step: step, Change: func(o *wire.Observation) {
		o.Values["exit"], o.Values["stderr"] = "2", "[signal SIGSEGV: segmentation violation code=0x2 addr=0x7f0000000000 pc=0x7f0000000000]"
	}}
}

// silent takes the step away by which a child says that the code came back.
func silent(step string) recorded.Answer {
	return recorded.Answer{Step: step + ".returned", Change: func(o *wire.Observation) { o.Step = "gone." + step }}
}

// returned makes the code of a child come back that faulted.
func returned(step string) []recorded.Answer {
	return all(
		set(step, "exit", "0"), set(step, "stderr", ""),
		recorded.Answer{Step: step + ".map", Change: func(o *wire.Observation) {}},
	)
}

// TestLaterClaimsCanFail fails if a wrong answer passes in one of the later claims, or if
// the right answers do not.
func TestLaterClaimsCanFail(t *testing.T) {
	f, _ := recorded.Kernel(t, usual, probe)
	right := made(t)
	for _, id := range later {
		if o := recorded.One(t, Suite(), id, f, right); o.Status != verdict.Pass {
			t.Errorf("%s, right answers: %s: %s", id, o.Status, o.Reason)
		}
	}
	wrong := recorded.Defects{
		"MS-018": {
			"shows rwx and faults": all(faults("run.stack.rwx"), silent("run.stack.rwx")),
			"opened faults":        all(faults("run.stack.opened"), silent("run.stack.opened")),
			"all fault":            all(faults("run.stack.x"), silent("run.stack.x"), faults("run.plain.x"), silent("run.plain.x")),
			"refused":              all(fails("run.stack.rx.map", 13, "EACCES")),
			"opening is refused":   all(fails("run.stack.opened.mprotect", 13, "EACCES")),
			"plain alone refused":  all(fails("run.plain.rwx.map", 13, "EACCES")),
			"no memory":            all(fails("run.plain.rwx.map", 12, "ENOMEM"), fails("run.stack.rwx.map", 12, "ENOMEM")),
		},
		"MS-019": {
			"stack refused":     all(fails("run.stack.rw.map", 1, "EPERM")),
			"dies elsewhere":    all(set("run.stack.rw", "stderr", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x10 pc=0x7f0000000000]")),
			"another signal":    all(set("run.stack.rw", "stderr", "[signal SIGILL: illegal instruction code=0x2 addr=0x7f0000000000 pc=0x7f0000000000]")),
			"killed, not told ": all(recorded.Answer{Step: "run.stack.rw", Change: func(o *wire.Observation) { delete(o.Values, "exit"); o.Values["signal"] = "killed" }}),
		},
		"MS-020": {
			"maps shows x":    all(set("run.stack.rw.map", "perms", "rwxp")),
			"not mapped code": all(set("run.plain.rw", "stderr", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x7f0000000000 pc=0x7f0000000000]")),
		},
		"MS-021": {
			"refused":        all(fails("huge.stack", 12, "ENOMEM")),
			"small pages":    all(set("huge.stack", "vmflags", "rd wr"), set("huge.stack", "pagesize", "4 kB")),
			"not aligned":    all(recorded.Succeeds("huge.stack", "0x7f0000001000")),
			"faults":         all(set("huge.stack", "last", "fault")),
			"another size":   all(set("huge.stack", "pagesize", "64 kB")),
			"plain, refused": all(fails("huge.plain", 22, "EINVAL")),
		},
		"MS-022": {
			"nh is lost":      all(flag("remap.grow.stack", "vmflags", "-nh")),
			"content is lost": all(set("remap.move.stack", "first", "0")),
			"refused":         all(fails("remap.grow.stack", 14, "EFAULT")),
			"stays":           all(set("remap.move.stack", "left", "ok")),
			"elsewhere":       all(set("remap.move.plain", "there", "false")),
		},
		"MS-023": {
			"not locked": all(flag("lockall.stack", "vmflags", "-lo")),
			"not here":   all(set("lockall.stack", "resident", "0")),
			"refused":    all(fails("lockall.call", 22, "EINVAL")),
		},
		"MS-024": {
			"shared":     all(set("fork.stack", "held", "60")),
			"wiped":      all(set("fork.stack", "held", "0")),
			"nh is lost": all(flag("fork.stack", "vmflags", "-nh")),
			"left out":   all(set("fork.stack", "mapped", "false")),
			"child dies": all(set("fork.stack", "status", "11")),
			"no child":   all(fails("fork.stack", 11, "EAGAIN")),
		},
		"MS-025": {
			"guard is open": all(set("older.mprotect", "guard.write", "ok")),
			"refused":       all(fails("older.mprotect", 13, "EACCES")),
			"nh is lost":    all(flag("older.mprotect", "stack.vmflags", "-nh")),
			"cut":           all(set("older.mmap", "perms", "r--p")),
			"stays mapped":  all(set("older.munmap", "read", "ok")),
		},
		"MS-026": {
			"populated":           all(set("resident.stack", "before", "2046")),
			"counted":             all(set("resident.stack", "before.rss", "4 kB")),
			"a huge page with nh": all(set("resident.stack", "after", "512"), set("resident.stack", "after.rss", "2048 kB")),
			"everything":          all(set("resident.plain", "after", "2046"), set("resident.plain", "after.rss", "8184 kB")),
			"not resident":        all(set("resident.stack", "after", "0"), set("resident.stack", "after.rss", "0 kB")),
			"two counts":          all(set("resident.stack", "after.rss", "8 kB")),
			"faults":              all(set("resident.stack", "store", "fault")),
			"refused":             all(fails("resident.stack", 12, "ENOMEM")),
		},
		"MS-027": {
			"elsewhere":       all(recorded.Succeeds("high.stack", "0x7f0000001000")),
			"plain elsewhere": all(recorded.Succeeds("high.plain", "0x7f0000001000")),
			"refused":         all(fails("high.stack", 12, "ENOMEM")),
			"faults":          all(set("high.stack", "store", "fault")),
		},
	}
	for id, named := range wrong {
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if o := recorded.One(t, Suite(), id, f, recorded.Answered(t, right, named[name]...)); o.Status != verdict.Fail || o.Reason == "" {
				t.Errorf("%s, %s: %s, want fail: %s", id, name, o.Status, o.Reason)
			}
		}
	}
}

// TestPlainMemoryMayBeHuge fails if a kernel is blamed for a huge page in memory that does
// not carry nh.
func TestPlainMemoryMayBeHuge(t *testing.T) {
	f, _ := recorded.Kernel(t, usual, probe)
	tr := recorded.Answered(t, made(t), set("resident.plain", "after", "512"), set("resident.plain", "after.rss", "2048 kB"))
	if o := recorded.One(t, Suite(), "MS-026", f, tr); o.Status != verdict.Pass {
		t.Errorf("%s: %s", o.Status, o.Reason)
	}
}

// TestDataThatRunsIsJudgedByTheCPU fails if a CPU without no-execute is a kernel's fault,
// or if a kernel that ignores no-execute passes.
func TestDataThatRunsIsJudgedByTheCPU(t *testing.T) {
	f, _ := recorded.Kernel(t, usual, probe)
	run := func(tr wire.Transcript, kinds ...string) wire.Transcript {
		for _, kind := range kinds {
			tr = recorded.Answered(t, tr, returned("run."+kind+".rw")...)
			tr.Observations = append(slices.Clone(tr.Observations), wire.Observation{Step: "run." + kind + ".rw.returned"})
		}
		return tr
	}
	without := recorded.Answered(t, made(t), set("processor", "nx", "false"))
	for _, tc := range []struct {
		name, id string
		tr       wire.Transcript
		want     verdict.Status
	}{
		{"both run on a CPU without it", "MS-019", run(without, "plain", "stack"), verdict.Pass},
		{"both run on a CPU without it", "MS-020", run(without, "plain", "stack"), verdict.Unsupported},
		{"both run on a CPU with it", "MS-020", run(made(t), "plain", "stack"), verdict.Fail},
		{"the stack runs on a CPU with it", "MS-019", run(made(t), "stack"), verdict.Fail},
		{"the stack runs on a CPU with it", "MS-020", run(made(t), "stack"), verdict.Fail},
		{"the stack runs on a CPU without it", "MS-019", run(without, "plain"), verdict.Fail},
		{"noexec=off", "MS-020", run(recorded.Answered(t, made(t), set("processor", "noexec=off", "true")), "plain", "stack"), verdict.Unsupported},
	} {
		if o := recorded.One(t, Suite(), tc.id, f, tc.tr); o.Status != tc.want {
			t.Errorf("%s, %s: %s, want %s: %s", tc.id, tc.name, o.Status, tc.want, o.Reason)
		}
	}
}

// TestAPolicyAgainstExecutableMemoryIsNoFault fails if a kernel is blamed for a policy
// that treats plain memory and stacks alike, or if one that treats them differently
// passes.
func TestAPolicyAgainstExecutableMemoryIsNoFault(t *testing.T) {
	f, _ := recorded.Kernel(t, usual, probe)
	var alike []recorded.Answer
	for _, step := range []string{"access.%s.5", "access.%s.7", "run.%s.rx.map", "run.%s.rwx.map", "run.%s.x.map", "run.%s.opened.mprotect"} {
		for _, kind := range []string{"plain", "stack"} {
			alike = append(alike, fails(kindly(step, kind), 13, "EACCES"))
		}
	}
	tr := made(t)
	for _, step := range []string{"prot.4", "prot.5", "prot.6", "prot.7", "mprotect.2", "mprotect.3", "mprotect.5"} {
		alike = append(alike, fails(step, 13, "EACCES"))
		control := step[:len(step)-1] + "plain." + step[len(step)-1:]
		if !slices.ContainsFunc(tr.Observations, func(o wire.Observation) bool { return o.Step == control }) {
			tr.Observations = append(tr.Observations, wire.Observation{Step: control, Ret: "0x0"})
		}
		alike = append(alike, fails(control, 13, "EACCES"))
	}
	tr = recorded.Answered(t, tr, alike...)
	f.LSMs = []string{"capability", "selinux"}
	for id, want := range map[string]verdict.Status{
		"MS-008": verdict.Pass, "MS-017": verdict.Pass, "PR-001": verdict.Pass, "PR-002": verdict.Pass, "MS-018": verdict.Pass,
		"PR-006": verdict.Unsupported, "PR-007": verdict.Unsupported,
	} {
		if o := recorded.One(t, Suite(), id, f, tr); o.Status != want {
			t.Errorf("%s under a policy: %s, want %s: %s", id, o.Status, want, o.Reason)
		}
	}
	for id, step := range map[string]string{
		"MS-008": "prot.plain.7", "MS-017": "prot.plain.7", "PR-001": "access.plain.7", "PR-002": "mprotect.plain.3", "MS-018": "run.plain.rwx.map",
	} {
		if o := recorded.One(t, Suite(), id, f, recorded.Answered(t, tr, succeeds(step))); o.Status != verdict.Fail {
			t.Errorf("%s, the stack alone is refused: %s: %s", id, o.Status, o.Reason)
		}
	}
	f.LSMs = []string{"capability", "yama"}
	if o := recorded.One(t, Suite(), "PR-006", f, tr); o.Status != verdict.Fail {
		t.Errorf("PR-006, refused without a policy: %s: %s", o.Status, o.Reason)
	}
}

// TestAContainersFilterIsNoFault fails if a kernel is blamed for a personality that the
// filter of a container refuses.
func TestAContainersFilterIsNoFault(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Answered(t, tr, fails("implied.personality", 1, "EPERM"))
	for filtered, want := range map[bool]verdict.Status{true: verdict.Unsupported, false: verdict.Fail} {
		f.Filtered = filtered
		if o := recorded.One(t, Suite(), "PR-007", f, tr); o.Status != want {
			t.Errorf("PR-007, filtered %t: %s, want %s: %s", filtered, o.Status, want, o.Reason)
		}
	}
}

// kindly puts a kind of mapping into the name of a step.
func kindly(step, kind string) string { return strings.Replace(step, "%s", kind, 1) }

// TestWhatAMachineLacksIsNoFault fails if a kernel is blamed for huge pages that memory
// has no room for, for a right that a container has not, or for a missing file of /proc.
func TestWhatAMachineLacksIsNoFault(t *testing.T) {
	f, _ := recorded.Kernel(t, usual, probe)
	contained := f
	contained.Capabilities = new(uint64)
	noSyscall := recorded.Answer{Step: "fork.plain", Change: func(o *wire.Observation) {
		*o = wire.Observation{Step: o.Step, Unknown: map[string]string{"child": "open /proc/thread-self/syscall: no such file or directory"}}
	}}
	for _, tc := range []struct {
		id     string
		facts  facts.Facts
		answer recorded.Answer
		want   verdict.Status
	}{
		{"MS-021", f, set("huge", "free", "0"), verdict.Unsupported},
		{"MS-021", f, set("huge", "free", "1"), verdict.Pass},
		{"MS-021", f, set("huge", "absent", "open /proc/sys/vm/nr_hugepages: no such file or directory"), verdict.Unsupported},
		{"MS-021", f, recorded.Answer{Step: "huge", Change: func(o *wire.Observation) { delete(o.Values, "free") }}, verdict.Error},
		{"MS-023", contained, fails("lockall.call", 12, "ENOMEM"), verdict.Unsupported},
		{"MS-024", f, noSyscall, verdict.Unsupported},
		{"MS-020", f, recorded.Answer{Step: "processor", Change: func(o *wire.Observation) { delete(o.Values, "nx") }}, verdict.Error},
	} {
		if o := recorded.One(t, Suite(), tc.id, tc.facts, recorded.Answered(t, made(t), tc.answer)); o.Status != tc.want {
			t.Errorf("%s without %s: %s, want %s: %s", tc.id, tc.answer.Step, o.Status, tc.want, o.Reason)
		}
	}
}

// TestTheLastHugePageMayBeTaken fails if a refusal counts against a kernel when another
// program may have taken the one page that was free, or if a wrong mapping does not.
func TestTheLastHugePageMayBeTaken(t *testing.T) {
	f, _ := recorded.Kernel(t, usual, probe)
	last := set("huge", "free", "1")
	for _, tc := range []struct {
		answer recorded.Answer
		want   verdict.Status
	}{
		{fails("huge.plain", 12, "ENOMEM"), verdict.Unsupported},
		{fails("huge.stack", 12, "ENOMEM"), verdict.Unsupported},
		{fails("huge.stack", 22, "EINVAL"), verdict.Fail},
		{set("huge.stack", "pagesize", "4 kB"), verdict.Fail},
	} {
		if o := recorded.One(t, Suite(), "MS-021", f, recorded.Answered(t, made(t), last, tc.answer)); o.Status != tc.want {
			t.Errorf("%s: %s, want %s: %s", tc.answer.Step, o.Status, tc.want, o.Reason)
		}
	}
}

// TestAContainerIsNoFault fails if a kernel is blamed for a user that does not exist, a limit
// that binds plain memory too, or a filter. The same answers to MAP_STACK alone are its fault.
func TestAContainerIsNoFault(t *testing.T) {
	f, _ := recorded.Kernel(t, usual, probe)
	tr := made(t)
	alone := recorded.Answer{Step: "unprivileged", Change: func(o *wire.Observation) {
		o.Values = map[string]string{"exit": "70", "timedout": "false", "stderr": "become user 65534: errno 22 EINVAL\n"}
	}}
	filtered := f
	filtered.Filtered = true
	for _, tc := range []struct {
		id      string
		facts   facts.Facts
		answers []recorded.Answer
		want    verdict.Status
	}{
		{"MS-003", f, recorded.All(alone), verdict.Unsupported},
		{"MS-004", f, recorded.All(alone), verdict.Pass},
		{"MS-017", f, recorded.All(alone), verdict.Pass},
		{"MS-023", f, recorded.All(recorded.Fails("lockall.call", 12, "ENOMEM")), verdict.Unsupported},
		{"MS-023", f, recorded.All(recorded.Fails("lockall.plain", 11, "EAGAIN")), verdict.Unsupported},
		{"MS-023", f, recorded.All(recorded.Fails("lockall.stack", 11, "EAGAIN")), verdict.Fail},
		{"PR-013", filtered, recorded.All(recorded.Fails("access.plain.7", 1, "EPERM"), recorded.Fails("mdwe.map.plain", 1, "EPERM")), verdict.Unsupported},
		{"PR-013", f, recorded.All(recorded.Fails("mdwe.map.plain", 1, "EPERM")), verdict.Fail},
	} {
		if o := recorded.One(t, Suite(), tc.id, tc.facts, recorded.Answered(t, tr, tc.answers...)); o.Status != tc.want {
			t.Errorf("%s: %s, want %s: %s", tc.id, o.Status, tc.want, o.Reason)
		}
	}
}
