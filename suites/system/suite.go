// Package system claims what an operating system's own settings allow Go
// programs, on cells that have such settings.
package system

import (
	"slices"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// probe is the probe that every claim here reads.
const probe = "oslimits"

// threads is the number of threads that the probe's program makes.
const threads = 1000

// Suite returns the claims of this suite. They are no MUST: what an operating system
// sets is its owner's choice, and these claims tell what the choice costs.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "system", Prefix: "OS", Probe: probe,
		Unmodelled: "what a system sets is no answer of the kernel, which an injector could change",
		About: claim.Text{
			English: "What an operating system's own settings allow Go programs, on cells that have such settings.",
			Chinese: "操作系统自身的设置允许 Go 程序做什么（限于带有此类设置的单元）。",
		},
	}.Join(claims())
}

func claims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "OS-001", Level: verdict.Should,
			English:     "A Go program that the system's service manager starts makes 1,000 threads under the limits that the system sets.",
			Chinese:     "由系统服务管理器启动的 Go 程序，在系统所设的限制下能创建 1000 个线程。",
			Source:      "systemd-system.conf(5): DefaultTasksMax, DefaultLimitNPROC and others; the settings are listed in the report, with file and line",
			Unsupported: unset,
			Features:    []claim.Feature{feature.LimitedGroup("service")},
			Check:       func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) { thousand(g, t, "service") },
		},
		{
			ID: "OS-002", Level: verdict.Should,
			English:     "A Go program of an ordinary user who logged in makes 1,000 threads under the limits that the system sets.",
			Chinese:     "普通用户登录后运行的 Go 程序，在系统所设的限制下能创建 1000 个线程。",
			Source:      "limits.conf(5) and user@.service(5), user-.slice: TasksMax; the settings are listed in the report, with file and line",
			Unsupported: unset,
			Finding:     "limits-of-a-login",
			Features:    []claim.Feature{feature.LimitedGroup("session")},
			Check:       func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) { thousand(g, t, "session") },
		},
		{
			ID: "OS-003", Level: verdict.Should,
			English:     "Every sysctl that the system sets has the value that it sets.",
			Chinese:     "系统设置的每个 sysctl 都具有所设的值。",
			Source:      "sysctl.d(5); a kernel that lacks one, or takes another value, is not the one that the settings were written for",
			Unsupported: noSysctls,
			Check:       sysctls,
		},
	}
}

// unset excludes cells without the settings of an operating system.
func unset(c matrix.Cell, _ abi.Table) string {
	if len(c.Policy) == 0 {
		return "the cell has no settings of an operating system; --os-image names an image that has"
	}
	return ""
}

// noSysctls also excludes cells whose operating system sets no sysctl.
func noSysctls(c matrix.Cell, a abi.Table) string {
	if why := unset(c, a); why != "" {
		return why
	}
	if !slices.ContainsFunc(c.Policy, func(s matrix.Setting) bool { return s.Of == matrix.OfSysctl }) {
		return "the operating system sets none of the sysctls that the claims are about"
	}
	return ""
}

// thousand expects the program to have made all its threads.
func thousand(g gomega.Gomega, t claim.Transcript, of string) {
	limits, end := t.Step(of+".limits"), t.Step(of)
	refused := t.Step(of + ".events").Value("pids") // or "absent", without such a limit
	for _, o := range t.Observations {
		// An error before the program starts, of setting a limit or of execve, is
		// already the answer. Errors of the program itself come below.
		if name, ok := strings.CutPrefix(o.Step, of+"."); ok && o.Errno != 0 {
			g.Expect(o.Error).To(gomega.BeEmpty(), "%s of a %s, whose limits are %s", name, of, told(limits))
		}
	}
	says, _, _ := strings.Cut(end.Value("stderr"), "\n\n") // a traceback follows
	g.Expect(end.Value("timedout")).To(gomega.Equal("false"), "the program hangs; the limits of a %s are %s", of, told(limits))
	g.Expect(end.Int("exit")).To(gomega.BeZero(), "the program has fewer than %d threads; the limits of a %s are %s, and pids.max refused %s times. It says: %s",
		threads, of, told(limits), refused, says)
	g.Expect(t.Step(of+".up").Int("threads")).To(gomega.BeNumerically(">", threads), "threads of the program")
}

// told returns the limits of a step, each with the place where it is set.
func told(o claim.Observation) string {
	var all []string
	for _, name := range []string{"tasks", "nproc", "as", "data", "stack", "memlock"} {
		if o.Has(name) {
			all = append(all, name+" "+o.Value(name)+" ("+o.Value(name+".source")+")")
		}
	}
	if len(all) == 0 {
		return "the kernel's own"
	}
	return strings.Join(all, ", ")
}

// sysctls expects each sysctl to have the value that the system sets.
func sysctls(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	t.Step("service.limits") // follows the sysctls, so the transcript holds all of them
	for _, o := range t.Observations {
		if name, ok := strings.CutPrefix(o.Step, "sysctl "); ok {
			o := t.Step(o.Step)
			g.Expect(o.Value("is")).To(gomega.Equal(o.Value("asked")), "%s, which %s sets", name, o.Value("source"))
		}
	}
}
