package goruntime

import (
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// startupClaims returns the claims about programs that get no memory when they start.
// They tell such an end from one for want of threads.
func startupClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "GR-117", Level: verdict.Should,
			English:  "A Go program whose mmap is refused at its start ends with status 2 and says why: 'runtime: mmap: access denied' for EACCES, 'runtime: mmap: too much locked memory (check 'ulimit -l').' for EAGAIN.",
			Chinese:  "启动时 mmap 被拒绝的 Go 程序以状态 2 终止并说明原因：EACCES 为 'runtime: mmap: access denied'，EAGAIN 为 'runtime: mmap: too much locked memory (check 'ulimit -l').'。",
			Source:   "sysAlloc in Go's runtime/mem_linux.go; SECCOMP_RET_ERRNO in kernel/seccomp.c",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Filters()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				starved(g, t, "start EACCES", "runtime: mmap: access denied")
				starved(g, t, "start EAGAIN", "runtime: mmap: too much locked memory (check 'ulimit -l').")
			},
		},
		{
			ID: "GR-118", Level: verdict.Should,
			English: "A Go program with an RLIMIT_AS of 64 MiB ends at its start with status 2 and 'failed to reserve page summary memory'.",
			Chinese: "RLIMIT_AS 为 64 MiB 的 Go 程序在启动时以状态 2 终止，并输出 'failed to reserve page summary memory'。",
			Source:  "pageAlloc.sysInit in Go's runtime/mpagealloc_64bit.go; getrlimit(2): RLIMIT_AS",
			Needs:   []abi.Feature{abi.GoPort},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				starved(g, t, "start as", "fatal error: failed to reserve page summary memory")
			},
		},
	}
}

// starved expects that a program which got no memory at its start says so and ends.
func starved(g gomega.Gomega, t claim.Transcript, step, text string) {
	t.Step(step + ".limit").Result()
	o := t.Step(step)
	if o.Value("timedout") != "false" {
		panic(claim.Missing{Probe: probe, Step: step, Value: "exit", Reason: "the program was stopped by us"})
	}
	first, _, _ := strings.Cut(strings.TrimSpace(o.Value("stderr")), "\n")
	g.Expect(first).To(gomega.Equal(text), "step %s: what the program says first", step)
	g.Expect(o.Has("signal")).To(gomega.BeFalse(), "a signal ended step %s", step)
	equal(g, o, "exit", "2")
}
