package mapstack

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// numberClaims returns the claims about the numbers that other architectures call
// MAP_STACK.
func numberClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MS-014", Level: verdict.Must,
			English:  "The numbers that other architectures use for MAP_STACK do what they mean on this one: nothing, population, huge pages or synchronous faults, never a stack.",
			Chinese:  "其他架构的 MAP_STACK 数值在本架构上只起其本来的作用：无作用、预填充、大页或同步缺页，而不表示栈。",
			Source:   "arch/{alpha,mips,sw_64}/include/uapi/asm/mman.h against include/uapi/asm-generic/mman.h; poc/abi",
			UserMode: claim.HostMaps,
			Check:    checkNumbers,
		},
		{
			ID: "MS-016", Level: verdict.Must,
			English:  "The whole flag word MAP_PRIVATE|MAP_ANONYMOUS|MAP_STACK of an architecture with another MAP_ANONYMOUS asks for a file here and is EBADF with descriptor -1.",
			Chinese:  "MAP_ANONYMOUS 数值不同的架构上的整个标志字 MAP_PRIVATE|MAP_ANONYMOUS|MAP_STACK 在本架构上表示映射文件，描述符为 -1 时返回 EBADF。",
			Source:   "mmap(2), ERRORS: EBADF, fd is not a valid file descriptor and MAP_ANONYMOUS was not set; the numbers are in arch/*/include/uapi/asm/mman.h; observed on mips64le",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				own := expect.Table(f)
				for _, other := range abi.All() {
					word := other.Map.Private | other.Map.Anonymous | other.Map.Stack
					if word&own.Map.Anonymous == 0 {
						expect.Errno(g, expect.Table(f), t.Step(fmt.Sprintf("word.%#x", word)), "EBADF")
					}
				}
			},
		},
	}
}

func checkNumbers(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	own := expect.Table(f)
	plain := t.Step("compare.plain")
	for _, other := range abi.All() {
		flag := other.Map.Stack
		o := t.Step(fmt.Sprintf("number.%#x", flag))
		switch meaning := meaningOf(own, flag); meaning {
		case "MAP_STACK":
			expect.OK(g, o)
			equal(g, o, "resident", "0")
			equal(g, o, "vmflags", t.Step("compare.stack").Value("vmflags"))
		case "MAP_POPULATE":
			expect.OK(g, o)
			equal(g, o, "resident", "16")
			equal(g, o, "vmflags", plain.Value("vmflags"))
		case "MAP_NONBLOCK":
			expect.OK(g, o)
			equal(g, o, "resident", "0")
			equal(g, o, "vmflags", plain.Value("vmflags"))
		case "MAP_SYNC":
			expect.OK(g, o)
			equal(g, o, "resident", "0")
			// sf is VM_SYNC, which means nothing without a DAX file.
			g.Expect(without(o, "vmflags", "sf")).To(gomega.Equal(plain.Value("vmflags")),
				"%s: VmFlags of %s, sf left out", o.Step, o.Call)
		case "MAP_HUGETLB":
			g.Expect(o.Failure()).To(gomega.Equal(t.Step("with.hugetlb.plain").Failure()),
				"%s: %s is %s here", o.Step, o.Call, meaning)
			if o.OK() {
				flagged(g, o, "vmflags", "ht", true)
			}
		default:
			panic(fmt.Sprintf("the check has no expectation for %#x, which is %q on %s; add one", flag, meaning, own.GOARCH))
		}
	}
}

// meaningOf returns the name of a flag on an architecture, or "" if it has none.
func meaningOf(own abi.Table, flag uint64) string {
	for _, c := range own.Map.Named() {
		if c.Value == flag {
			return c.Name
		}
	}
	return ""
}
