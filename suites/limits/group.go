package limits

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
	"github.com/mapstack/conformance/suites/internal/history"
)

// reached expects that pids.max of a group was reached exactly.
func reached(g gomega.Gomega, t claim.Transcript, f facts.Facts, prefix string) {
	o := t.Step(prefix + "refused")
	errno(g, f, o, full)
	count(g, o, "made", o.Int("limit")-o.Int("before"))
	count(g, o, "current", o.Int("limit"))
}

func groupClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-009", Level: verdict.Must,
			English:  "A control group can have exactly as many processes and threads as its pids.max says, and clone refuses the next one with EAGAIN, root included.",
			Chinese:  "控制组的进程和线程总数恰好可以达到其 pids.max，clone 以 EAGAIN 拒绝再多一个，对 root 也是如此。",
			Source:   "Documentation/admin-guide/cgroup-v2.rst, PID: pids.max is a hard limit of the number of processes, and fork() or clone() beyond it returns -EAGAIN; fork(2), ERRORS: EAGAIN at pids.max; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.PidsGroups()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				reached(g, t, f, "pids.leaf.")
				lived(g, t, "pids.ended")
			},
		},
		{
			ID: "LM-110", Level: verdict.Must,
			English:  "When one process of a group at its pids.max has gone, exactly one clone succeeds again, and the next ones once pids.max is raised.",
			Chinese:  "达到 pids.max 的控制组有一个进程消失后，恰好可以再成功 clone 一次；提高 pids.max 后可继续。",
			Source:   "Documentation/admin-guide/cgroup-v2.rst, PID: pids.current is the number of processes currently in the cgroup, which pids.max limits; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.PidsGroups()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				recovers(g, t, f, "pids.leaf.", full)
				expect.OK(g, t.Step("pids.leaf.raised"))
			},
		},
		{
			ID: "LM-111", Level: verdict.Must,
			English:  "pids.max accepts max, and rejects a negative number with EINVAL.",
			Chinese:  "pids.max 接受 max，以 EINVAL 拒绝负数。",
			Source:   "Documentation/admin-guide/cgroup-v2.rst, PID: pids.max is max by default; pids_max_write in kernel/cgroup/pids.c; observed on 5.10 to 7.3",
			Features: []claim.Feature{feature.PidsGroups()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				errno(g, f, t.Step("pids.text.negative"), "EINVAL")
				o := t.Step("pids.text.max")
				expect.OK(g, o)
				g.Expect(o.Value("value")).To(gomega.Equal("max"), "pids.max after max was written")
			},
		},
		{
			ID: "LM-010", Level: verdict.Must,
			English:  "pids.events counts every clone that the group's own pids.max refuses.",
			Chinese:  "pids.events 统计被该组自身 pids.max 拒绝的每一次 clone。",
			Source:   "Documentation/admin-guide/cgroup-v2.rst, PID, of 6.11 and later: pids.events has the number of times that the limit was hit; pids_event in kernel/cgroup/pids.c; observed on 5.10 to 7.3; a Go program adds 20 refusals for one thread, the attempts of its runtime (runtime/retry.go)",
			Features: []claim.Feature{feature.PidsGroups()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				errno(g, f, t.Step("pids.leaf.refused"), full)
				o := t.Step("pids.leaf.events")
				g.Expect(o.Int("refusals")).To(gomega.BeNumerically(">", 0), "refusals that the probe saw")
				count(g, o, "max", o.Int("refusals"))
			},
		},
		{
			ID: "LM-012", Level: verdict.Must,
			English:  "A process can be moved into a group whose pids.max is 0 and lives on there, but its first clone is refused with EAGAIN; outside it can clone again.",
			Chinese:  "进程可以移入 pids.max 为 0 的控制组并继续运行，但首次 clone 即以 EAGAIN 被拒绝；移出后又可以 clone。",
			Source:   "Documentation/admin-guide/cgroup-v2.rst, PID: organisational operations are not blocked by cgroup policies, so it is possible to have pids.current > pids.max, but not by fork() or clone(); observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.PidsGroups()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("pids.zero.enter")
				expect.OK(g, o)
				g.Expect(o.Int("current")).To(gomega.BeNumerically(">", 0), "processes in the group")
				errno(g, f, t.Step("pids.zero.clone"), full)
				expect.OK(g, t.Step("pids.zero.left"))
			},
		},
		{
			ID: "LM-014", Level: verdict.Must,
			English:  "Lowering pids.max below what a group has ends no process; only further clones are refused.",
			Chinese:  "把 pids.max 降到低于组内现有数量不会结束任何进程，只拒绝之后的 clone。",
			Source:   "Documentation/admin-guide/cgroup-v2.rst, PID: it is possible to have pids.current > pids.max by setting the limit to be smaller than pids.current, but not by fork() or clone(), which return -EAGAIN; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.PidsGroups()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("pids.lowered")
				g.Expect(o.Int("children")).To(gomega.BeNumerically(">", 0), "children before pids.max was lowered")
				count(g, o, "alive", o.Int("children"))
				g.Expect(o.Int("current")).To(gomega.BeNumerically(">", o.Int("children")), "pids.current of the group")
				errno(g, f, o, full)
			},
		},
		{
			ID: "LM-022", Level: verdict.Should,
			English:  "A process that starts threads in a group at its memory.max is killed for lack of memory, and never told ENOMEM by clone; outside the group clone goes on working.",
			Chinese:  "在达到 memory.max 的控制组中不断创建线程的进程会因内存不足被杀死，而不会从 clone 得到 ENOMEM；组外的 clone 不受影响。",
			Source:   "mem_cgroup_oom in mm/memcontrol.c; SHOULD because cgroup-v2.rst allows ENOMEM for some allocations",
			Features: []claim.Feature{feature.MemoryGroupsOf2()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Step("memory.child.inside").Int("memory")
				o := t.Step("memory.child")
				unless(o.Value("timedout") != "false", o, "timedout", "the child was stopped by us")
				g.Expect(o.Value("stderr")).NotTo(gomega.ContainSubstring("failed to create new OS thread"), "last words of the process")
				if !o.Has("signal") {
					held(g, t)
				}
				g.Expect(o.Value("signal")).To(gomega.Equal("killed"), "the process's end")
				events := t.Step("memory.events")
				g.Expect(events.Int("events.max")).To(gomega.BeNumerically(">", 0), "times that the limit was met")
				g.Expect(events.Int("events.oom_kill")).To(gomega.BeNumerically(">", 0), "processes killed")
				expect.OK(g, t.Step("memory.recovered"))
			},
		},
	}
}

// held expects that a group whose process was not killed has no more memory than its
// memory.max. If it has less, nothing was decided.
func held(g gomega.Gomega, t claim.Transcript) {
	o := t.Step("memory.child.survived")
	g.Expect(o.Int("memory")).To(gomega.BeNumerically("<=", t.Step("memory.events").Int("max")), "memory of a group that nobody kept to its memory.max")
	unless(true, o, "memory", "the child was never at the limit")
}

func nestedGroupClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-011", Level: verdict.Must,
			English:  "pids.max of a group holds for the groups inside it: clone in one of them is refused with EAGAIN exactly when the outer group is full.",
			Chinese:  "控制组的 pids.max 也约束其内部的组：外层组恰好已满时，内层组中的 clone 以 EAGAIN 被拒绝。",
			Source:   "Documentation/admin-guide/cgroup-v2.rst, PID: the limit is of the cgroup and its descendants; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.PidsGroups()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("pids.nested.refused")
				unless(o.Value("inner.max") != "max", o, "inner.max", "the inner group has a limit of its own")
				reached(g, t, f, "pids.nested.")
				recovers(g, t, f, "pids.nested.", full)
				lived(g, t, "pids.nested.ended")
			},
		},
		{
			ID: "LM-112", Level: verdict.Should,
			English:  "From 6.11 on a refusal is counted in pids.events and pids.events.local of the group whose limit it was; before, in pids.events of the group that cloned.",
			Chinese:  "从 6.11 起，拒绝计入限制所属控制组的 pids.events 和 pids.events.local；此前计入发起 clone 的组的 pids.events。",
			Source:   "commits 73e75e6fc352 and 3f26a885a068 (6.11); observed: in the group that cloned on 5.10 and 6.1, in the group with the limit from 6.12 on",
			Features: []claim.Feature{feature.PidsGroupsOf2()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("pids.nested.events")
				n := o.Int("refusals")
				unless(n == 0, o, "refusals", "nothing was refused")
				if !history.EventsOfOwnLimit(f) {
					count(g, o, "inner", n)
					count(g, o, "outer", 0)
					g.Expect(o.Has("outer.local")).To(gomega.BeFalse(), "pids.events.local exists")
					return
				}
				count(g, o, "outer", n)
				count(g, o, "outer.local", n)
				count(g, o, "inner", 0)
				count(g, o, "inner.local", 0)
			},
		},
		{
			ID: "LM-013", Level: verdict.Should,
			English:  "pids.max of cgroup version 1 is reached exactly as well, refuses with EAGAIN, and is counted in pids.events.",
			Chinese:  "cgroup v1 的 pids.max 同样恰好可以达到，以 EAGAIN 拒绝，并计入 pids.events。",
			Source:   "kernel/cgroup/pids.c; SHOULD because a kernel need not have version 1",
			Features: []claim.Feature{feature.PidsGroupsOf1()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "v1.mount")
				reached(g, t, f, "v1.pids.leaf.")
				recovers(g, t, f, "v1.pids.leaf.", full)
				o := t.Step("v1.pids.leaf.events")
				count(g, o, "max", o.Int("refusals"))
			},
		},
		{
			ID: "LM-113", Level: verdict.Should,
			English:  "In cgroup version 1 an outer group's pids.max holds for the inner ones too, and a refusal is counted in the group that cloned.",
			Chinese:  "在 cgroup v1 中，外层组的 pids.max 同样约束内层组，拒绝计入发起 clone 的组。",
			Source:   "pids_event in kernel/cgroup/pids.c; observed on 5.10 to 7.3",
			Features: []claim.Feature{feature.PidsGroupsOf1()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "v1.mount")
				reached(g, t, f, "v1.pids.nested.")
				o := t.Step("v1.pids.nested.events")
				count(g, o, "inner", o.Int("refusals"))
				count(g, o, "outer", 0)
			},
		},
	}
}
