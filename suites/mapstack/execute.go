package mapstack

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// executionClaims returns the claims about code that is called in a mapping. The letters
// of maps alone do not say what the CPU does.
func executionClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MS-018", Level: verdict.Must,
			English:  "Code in memory mapped with MAP_STACK runs where it runs without: with PROT_READ|PROT_EXEC, with PROT_WRITE too, with PROT_EXEC alone, and after mprotect added PROT_EXEC; what a policy refuses to plain memory it refuses to a stack alike.",
			Chinese:  "带 MAP_STACK 的内存中的代码与不带时一样可以执行：PROT_READ|PROT_EXEC、再加 PROT_WRITE、单独的 PROT_EXEC，以及用 mprotect 加上 PROT_EXEC 之后；策略对普通内存拒绝的，对栈也同样拒绝。",
			Source:   "mmap(2): PROT_EXEC, pages may be executed; mmap(2), MAP_STACK: this flag is currently a no-op on Linux; a return instruction called in each mapping on 4.19, 6.1, 6.12 and 7.2, on seven architectures",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, way := range []string{"rx", "rwx", "x", "opened"} {
					plain, stack := ran(t, "plain", way), ran(t, "stack", way)
					if plain.refused == "" {
						g.Expect(plain.outcome).To(gomega.Equal(executed), "code in plain memory, %s", way)
					}
					g.Expect(stack.outcome).To(gomega.Equal(plain.outcome), "code in memory with MAP_STACK, %s, against plain memory", way)
				}
			},
		},
		{
			ID: "MS-019", Level: verdict.Must,
			English:  "Code in memory that is readable and writable alone runs, or ends in SIGSEGV, with MAP_STACK exactly as without it.",
			Chinese:  "只可读写的内存中的代码，无论是否带 MAP_STACK，要么都能执行，要么都以 SIGSEGV 结束。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; a return instruction called in each mapping on 4.19, 6.1, 6.12 and 7.2, on seven architectures",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				g.Expect(ran(t, "stack", "rw").outcome).To(gomega.Equal(ran(t, "plain", "rw").outcome),
					"a call to code in memory with MAP_STACK, against plain memory")
			},
		},
		{
			ID: "MS-020", Level: verdict.Must,
			English:  "Where the CPU has no-execute protection, a call to code in memory that maps shows without x raises SIGSEGV with SEGV_ACCERR there, with MAP_STACK and without.",
			Chinese:  "在具有禁止执行保护的 CPU 上，调用 maps 中不带 x 的内存里的代码会在该处触发带 SEGV_ACCERR 的 SIGSEGV，无论是否带 MAP_STACK。",
			Source:   "proc_pid_maps(5): x is executable; sigaction(2): SEGV_ACCERR, invalid permissions for mapped object; a return instruction called in each mapping on 4.19, 6.1, 6.12 and 7.2, on seven architectures",
			Features: []claim.Feature{feature.NoExecute()},
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, kind := range []string{"plain", "stack"} {
					o := t.Step("run." + kind + ".rw.map")
					expect.OK(g, o)
					equal(g, o, "perms", "rw-p")
					g.Expect(ran(t, kind, "rw").outcome).To(gomega.Equal("SIGSEGV with code 2 at the code"), "a call to code in %s memory", kind)
				}
			},
		},
	}
}

// executed is the outcome of code that came back.
const executed = "runs"

// called is what became of a call to code in memory.
type called struct {
	outcome string
	refused string // the error with which a policy refused the memory, "" if none did
}

// death is how the Go runtime tells the signal that ended a child.
var death = regexp.MustCompile(`\[signal (SIG[A-Z]+)[^]]*code=(0x[0-9a-f]+) addr=(0x[0-9a-f]+)`)

// ran returns what became of the call in one child.
func ran(t claim.Transcript, kind, way string) called {
	step := "run." + kind + "." + way
	child := t.Step(step)
	if child.Value("timedout") != "false" {
		panic(claim.Missing{Probe: probe, Step: step, Value: "exit", Reason: "the child was stopped after its time limit"})
	}
	mapped := t.Step(step + ".map")
	calls := []claim.Observation{mapped}
	if way == "opened" && mapped.OK() {
		calls = append(calls, t.Step(step+".mprotect"))
	}
	for _, o := range calls {
		if !o.OK() {
			c := called{outcome: "refused with " + o.Failure()}
			if refused(o) {
				c.refused = o.Error
			}
			return c
		}
	}
	mapped.Value("placed") // without it nothing was called
	for _, o := range t.Observations {
		if o.Step == step+".returned" {
			return called{outcome: executed}
		}
	}
	if !child.Has("exit") {
		return called{outcome: "ends with " + child.Value("signal")}
	}
	found := death.FindStringSubmatch(child.Value("stderr"))
	if found == nil {
		panic(claim.Missing{Probe: probe, Step: step, Value: "stderr", Reason: fmt.Sprintf("the child ended with status %s and names no signal: %q", child.Value("exit"), child.Value("stderr"))})
	}
	return called{outcome: fmt.Sprintf("%s with code %s %s", found[1], decimal(found[2]), place(mapped, found[3]))}
}

// decimal returns a number in hexadecimal as a person writes it.
func decimal(hex string) string {
	n, err := strconv.ParseUint(hex, 0, 64)
	if err != nil {
		return hex
	}
	return strconv.FormatUint(n, 10)
}

// place says whether an address is in the page that has the code.
func place(mapped claim.Observation, hex string) string {
	at, err := strconv.ParseUint(hex, 0, 64)
	if start := mapped.Result(); err == nil && start <= at && at < start+smallestPage {
		return "at the code"
	}
	return "elsewhere"
}

// smallestPage is the size in bytes of the smallest page of any architecture. The code is
// at the start of its page.
const smallestPage = 4 << 10
