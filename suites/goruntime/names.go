package goruntime

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// nameClaims returns the claims about the names that the runtime gives its memory.
func nameClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "GR-119", Level: verdict.Should,
			English:  "A Go program that names its memory has the stacks of its threads in what it calls its heap: maps shows [anon: Go: heap], and no mapping of a stack alone.",
			Chinese:  "为内存命名的 Go 程序，其线程栈位于它称为堆的内存中：maps 显示 [anon: Go: heap]，没有专用于栈的映射。",
			Source:   "malg in Go's runtime/proc.go, sysMap in runtime/mheap.go and setVMAName in runtime/set_vma_name_linux.go (from Go 1.25 on); GODEBUG=decoratemappings=1, which is the default of programs whose go.mod says go 1.25 or later; proc_pid_maps(5): [anon:name]",
			Probe:    "mapstack",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.GoNames(), feature.MemoryNames("mapstack", "names")},
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				expect.OK(g, t.Step("names"))
				t.Ended("names")
				for n := range 4 {
					o := t.Step(fmt.Sprintf("names.thread %d", n))
					o.Uint("stack")
					equal(g, o, "name", "[anon: Go: heap]")
				}
			},
		},
	}
}
