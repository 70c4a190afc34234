package mapstack

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
	"github.com/mapstack/conformance/suites/internal/history"
)

// protectionClaims returns the claims about protections, with MAP_STACK and
// without.
func protectionClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-001", Level: verdict.Must,
			English:  "Reading and writing memory succeeds or faults as its protection says: PROT_NONE neither, PROT_READ with or without PROT_EXEC only reading, PROT_READ|PROT_WRITE both, with MAP_STACK and without; executable memory that a policy refuses is refused to both alike.",
			Chinese:  "内存的读写成败与其保护属性一致：PROT_NONE 均不可，PROT_READ（无论是否带 PROT_EXEC）只可读，PROT_READ|PROT_WRITE 均可；带与不带 MAP_STACK 相同，策略拒绝的可执行内存对两者同样拒绝。",
			Source:   "mmap(2), POSIX mmap; real accesses on every booted kernel",
			UserMode: claim.Emulated,
			Check:    checkAccess,
		},
		{
			ID: "PR-002", Level: verdict.Must,
			English:  "mprotect takes a MAP_STACK mapping through every protection; maps shows each as asked, the memory works again afterwards, and nh stays as it was; what a policy refuses to plain memory it refuses alike.",
			Chinese:  "mprotect 可让 MAP_STACK 映射经历各种保护属性；maps 按所请求的显示，之后内存仍可用，nh 始终不变；策略对普通内存拒绝的，对其同样拒绝。",
			Source:   "mprotect(2): the access protections, and EACCES, the memory cannot be given the specified access; proc(5): the permissions in /proc/PID/maps; mmap(2), MAP_STACK: this flag is currently a no-op on Linux; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check:    checkMprotect,
		},
		{
			ID: "PR-003", Level: verdict.Must,
			English:  "A bad access raises SIGSEGV with SEGV_ACCERR (2) where a mapping forbids it and SEGV_MAPERR (1) where nothing is mapped.",
			Chinese:  "非法访问触发 SIGSEGV：映射不允许时代码为 SEGV_ACCERR (2)，无映射时为 SEGV_MAPERR (1)。",
			Source:   "sigaction(2): SEGV_MAPERR, address not mapped to object, and SEGV_ACCERR, invalid permissions for mapped object; mmap(2): SIGSEGV; observed on every booted kernel",
			UserMode: claim.Emulated,
			Check:    checkDeaths,
		},
		{
			ID: "PR-006", Level: verdict.Must,
			English:  "Without a policy that forbids it, a stack mapping that is writable and executable is granted.",
			Chinese:  "在没有禁止策略的情况下，可写且可执行的栈映射会被允许。",
			Source:   "mmap(2); mm/mmap.c do_mmap: no W^X without PR_SET_MDWE or an LSM (4.19 to 7.3); observed on every booted kernel",
			Features: []claim.Feature{feature.WriteExecute(probe, "access.plain.7")},
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("access.stack.7")
				expect.OK(g, o)
				equal(g, o, "write.first", "ok")
				equal(g, t.Step("prot.7"), "perms", "rwxp")
			},
		},
		{
			ID: "PR-007", Level: verdict.Must,
			English:  "With the personality READ_IMPLIES_EXEC a readable stack mapping becomes executable, by mmap and by mprotect.",
			Chinese:  "设置 READ_IMPLIES_EXEC personality 后，可读的栈映射经 mmap 和 mprotect 都会变为可执行。",
			Source:   "mm/mmap.c do_mmap and mm/mprotect.c do_mprotect_pkey (4.19 to 7.3); personality(2): READ_IMPLIES_EXEC; observed on every booted kernel",
			Features: []claim.Feature{feature.ReadImpliesExec(), feature.WriteExecute(probe, "access.plain.7")},
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Ended("implied")
				expect.OK(g, t.Step("implied.personality"))
				expect.OK(g, t.Step("implied.map"))
				equal(g, t.Step("implied.map"), "perms", "r-xp")
				expect.OK(g, t.Step("implied.mprotect"))
				equal(g, t.Step("implied.mprotect"), "perms", "rwxp")
			},
		},
		{
			ID: "PR-013", Level: verdict.Must,
			English:  "After PR_SET_MDWE no mapping can be writable and executable nor become executable, with MAP_STACK and without.",
			Chinese:  "PR_SET_MDWE 之后，无论是否带 MAP_STACK，映射不能既可写又可执行，也不能变为可执行。",
			Source:   "PR_SET_MDWE(2const); commit b507808ebce2; tools/testing/selftests/mm/mdwe_test.c",
			Features: []claim.Feature{feature.DenyWriteExecute(), feature.UnfilteredWriteExecute()},
			UserMode: claim.HostRelease,
			Check:    checkDenyWriteExecute,
		},
		{
			ID: "PR-015", Level: verdict.Should, // features are back-ported
			English:  "The kernel knows PR_SET_MDWE from Linux 6.3 on and MADV_GUARD_INSTALL from 6.13 on, and neither before.",
			Chinese:  "内核自 Linux 6.3 起支持 PR_SET_MDWE，自 6.13 起支持 MADV_GUARD_INSTALL，此前均不支持。",
			Source:   "commits b507808ebce2 and 662df3e5c376; observed on 5.10 to 7.3",
			UserMode: claim.HostRelease,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				t.Ended("mdwe")
				g.Expect(t.Step("mdwe.get").OK()).To(gomega.Equal(history.DenyWriteExecute(f)), "PR_GET_MDWE is known to Linux %s", f.UnameRelease)
				g.Expect(t.Step("guard.install").OK()).To(gomega.Equal(history.GuardRegions(f)), "MADV_GUARD_INSTALL is known to Linux %s", f.UnameRelease)
			},
		},
	}
}

func checkAccess(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	p := expect.Table(f).Prot
	for _, kind := range []string{"plain", "stack"} {
		for _, want := range []struct {
			prot        uint64
			read, write string
		}{
			{0, "fault", "fault"},
			{p.Read, "ok", "fault"},
			{p.Read | p.Write, "ok", "ok"},
			{p.Read | p.Exec, "ok", "fault"},
			{p.Read | p.Write | p.Exec, "ok", "ok"},
		} {
			o := t.Step(fmt.Sprintf("access.%s.%d", kind, want.prot))
			if want.prot&p.Exec != 0 && !granted(g, t, o, fmt.Sprintf("access.plain.%d", want.prot)) {
				continue
			}
			expect.OK(g, o)
			equal(g, o, "read.first", want.read)
			equal(g, o, "read.last", want.read)
			equal(g, o, "write.first", want.write)
			equal(g, o, "write.last", want.write)
		}
	}
}

func checkMprotect(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	start := t.Step("mprotect.map")
	expect.OK(g, start)
	equal(g, start, "perms", "---p")
	nh := has(start, "vmflags", "nh")
	a := expect.Table(f)
	p := a.Prot
	for i, prot := range []uint64{
		p.Read, p.Read | p.Write, p.Read | p.Exec, p.Read | p.Write | p.Exec, p.Write, p.Exec, p.Read | p.Write,
	} {
		o := t.Step(fmt.Sprintf("mprotect.%d", i))
		if prot&p.Exec != 0 && !granted(g, t, o, fmt.Sprintf("mprotect.plain.%d", i)) {
			continue
		}
		expect.OK(g, o)
		expect.Permitted(g, a, o, prot)
		flagged(g, o, "vmflags", "nh", nh)
		if prot == p.Read|p.Write {
			equal(g, o, "first", "ok")
			equal(g, o, "last", "ok")
		}
	}
}

// granted reports whether a check of executable memory goes on with a step. It does not
// if a policy refuses such memory, with MAP_STACK or in the step control without it. Then
// both must be refused with the same error.
func granted(g gomega.Gomega, t claim.Transcript, o claim.Observation, control string) bool {
	told := slices.ContainsFunc(t.Observations, func(o wire.Observation) bool { return o.Step == control })
	if !told {
		return true // recorded before there was such a step
	}
	plain := t.Step(control)
	if !refused(o) && !refused(plain) {
		return true
	}
	g.Expect(o.Failure()).To(gomega.Equal(plain.Failure()), "%s: %s, against plain memory", o.Step, o.Call)
	return false
}

// refused reports whether a step failed as by a policy against executable memory.
func refused(o claim.Observation) bool { return !o.OK() && feature.Refused(o.Error) }

func checkDeaths(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	// The Go runtime prints the signal that ends a program in this form.
	signal := regexp.MustCompile(`\[signal SIGSEGV: [a-z ]*code=(0x[0-9a-f]+)`)
	for _, death := range []struct{ how, code string }{
		{"none", "0x2"}, {"readonly", "0x2"}, {"unmapped", "0x1"},
	} {
		expect.OK(g, t.Step("death."+death.how+".map"))
		o := t.Step("death." + death.how)
		if o.Value("timedout") != "false" {
			panic(claim.Missing{Probe: probe, Step: o.Step, Value: "exit", Reason: "the child was stopped after its time limit"})
		}
		equal(g, o, "exit", "2")
		found := signal.FindStringSubmatch(o.Value("stderr"))
		g.Expect(found).To(gomega.HaveLen(2), "%s: a SIGSEGV in the child's last words %q", o.Step, o.Value("stderr"))
		g.Expect(found[1]).To(gomega.Equal(death.code), "%s: code of the signal", o.Step)
	}
}

func checkDenyWriteExecute(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	t.Ended("mdwe")
	expect.OK(g, t.Step("mdwe.get"))
	expect.OK(g, t.Step("mdwe.set"))
	for _, kind := range []string{"plain", "stack"} {
		expect.Errno(g, expect.Table(f), t.Step("mdwe.map."+kind), "EACCES")
		o := t.Step("mdwe.mprotect." + kind)
		expect.Errno(g, expect.Table(f), o, "EACCES")
		equal(g, o, "writable", "ok")
		equal(g, o, "perms", "rw-p")
	}
}
