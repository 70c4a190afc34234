package address

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
	"github.com/mapstack/conformance/suites/internal/history"
)

// Bits of personality(2), and the number of runs of each kind.
const (
	noRandomize  = 0x40000
	compatLayout = 0x200000
	runs         = 3
)

func layoutClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "AD-005", Level: verdict.Should,
			English:  "By default mmap fills the address space from the top down.",
			Chinese:  "默认情况下 mmap 自顶向下使用地址空间。",
			Source:   "arch_pick_mmap_layout in mm/util.c and arch/*/mm/mmap.c; bottom-up in openEuler's sw_64 of 5.10",
			Features: []claim.Feature{feature.DefaultLayout()},
			Needs:    []abi.Feature{abi.Layouts},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for n := 1; n <= runs; n++ {
					grows(g, ordinary(t, n), "down")
				}
			},
		},
		{
			ID: "AD-006", Level: verdict.Should,
			English:  "With vm.legacy_va_layout at 1 a new program's mappings are laid out from the bottom up.",
			Chinese:  "vm.legacy_va_layout 为 1 时，新程序的映射自底向上排列。",
			Source:   "mmap_is_legacy in mm/util.c and arch/*/mm/mmap.c; Documentation/admin-guide/sysctl/vm.rst",
			Features: []claim.Feature{feature.Settable("vm.legacy_va_layout", probe, "legacy set")},
			Needs:    []abi.Feature{abi.Layouts},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				r := run{t, "legacy"}
				if r.step("conditions").Value("legacy") != "1" {
					missing("legacy.conditions", "legacy", "the sysctl was not in force")
				}
				grows(g, r, "up")
			},
		},
		{
			ID: "AD-102", Level: verdict.Should,
			English:  "With the personality ADDR_COMPAT_LAYOUT at exec a program's mappings are laid out from the bottom up.",
			Chinese:  "exec 时设置 ADDR_COMPAT_LAYOUT personality 的程序，其映射自底向上排列。",
			Source:   "personality(2), mmap_is_legacy in mm/util.c and arch/*/mm/mmap.c; observed on 5.10 to 7.3",
			Features: []claim.Feature{feature.Personality("ADDR_COMPAT_LAYOUT", "compat.set")},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for n := 1; n <= runs; n++ {
					grows(g, persona(t, "compat", n, compatLayout), "up")
				}
			},
		},
		{
			ID: "AD-007", Level: verdict.Should,
			English:  "With RLIMIT_STACK unlimited at exec a program's mappings are laid out from the bottom up, but on amd64 from the top down as ever.",
			Chinese:  "exec 时 RLIMIT_STACK 不受限的程序，其映射自底向上排列；在 amd64 上仍自顶向下。",
			Source:   "mmap_is_legacy in mm/util.c and arch/*/mm/mmap.c; observed on every booted kernel",
			Features: []claim.Feature{feature.DefaultLayout(), feature.UnlimitedStack()},
			Check:    checkUnlimitedStack,
		},
		{
			ID: "AD-015", Level: verdict.Should,
			English:  "The stack and the mappings of a program are at different addresses from run to run.",
			Chinese:  "程序每次运行时，栈与映射所在的地址各不相同。",
			Source:   "randomize_stack_top and arch_mmap_rnd; kernel.randomize_va_space",
			Features: []claim.Feature{feature.DefaultLayout(), feature.Randomization()},
			Needs:    []abi.Feature{abi.Layouts},
			Check:    checkRandom,
		},
		{
			ID: "AD-106", Level: verdict.Should,
			English:  "With the personality ADDR_NO_RANDOMIZE at exec stack, vDSO and, where mappings are laid out from the top down, the first of them are at the same addresses in every run.",
			Chinese:  "exec 时设置 ADDR_NO_RANDOMIZE personality 后，每次运行中栈和 vDSO 的地址都相同；映射自顶向下排列时，最高处映射的地址也相同。",
			Source:   "personality(2), PF_RANDOMIZE in fs/binfmt_elf.c; observed on 5.10 to 7.3",
			Features: []claim.Feature{feature.Personality("ADDR_NO_RANDOMIZE", "fixed.set")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				places := []string{"stack"}
				// From the bottom up, the last mapping is where the runtime's threads happen to
				// put it. A kernel without the sysctl lays nothing out so when it is asked to.
				conditions := persona(t, "fixed", 1, noRandomize).step("conditions")
				if conditions.Unknown["legacy"] != "" || conditions.Value("legacy") == "0" {
					places = append(places, "top")
				}
				if expect.Table(f).Lacks(abi.VDSO) == "" {
					places = append(places, "vdso")
				}
				first := persona(t, "fixed", 1, noRandomize).step("places")
				for n := 2; n <= runs; n++ {
					other := persona(t, "fixed", n, noRandomize).step("places")
					for _, key := range places {
						g.Expect(other.Value(key)).To(gomega.Equal(first.Value(key)), "%s in run %d", key, n)
					}
				}
			},
		},
	}
}

// run is one program that was started to look at its layout.
type run struct {
	t    claim.Transcript
	name string
}

func (r run) step(name string) claim.Observation {
	r.t.Ended(r.name)
	return r.t.Step(r.name + "." + name)
}

// ordinary returns a run under the default conditions. It stops the check if
// they were others.
func ordinary(t claim.Transcript, n int) run {
	r := run{t, fmt.Sprintf("run %d", n)}
	o := r.step("conditions")
	if o.Value("stack limit") == "unlimited" || o.Value("legacy") != "0" || o.Uint("personality")&(noRandomize|compatLayout) != 0 {
		missing(o.Step, "", "the layout is not the default one: %v", o.Values)
	}
	return r
}

// persona returns a run of a child that set a personality. It stops the check if
// the personality was not in force.
func persona(t claim.Transcript, how string, n int, bit uint64) run {
	t.Step(how + ".set").Result()
	r := run{t, fmt.Sprintf("%s.run %d", how, n)}
	if o := r.step("conditions"); o.Uint("personality")&bit == 0 {
		missing(o.Step, "personality", "the personality %#x is not in force", bit)
	}
	return r
}

// grows expects the second of two large mappings wholly below the first
// ("down"), or wholly above it ("up").
func grows(g gomega.Gomega, r run, direction string) {
	const block = 1 << 30
	first, second := r.step("first"), r.step("second")
	if direction == "down" {
		g.Expect(second.Result()+block).To(gomega.BeNumerically("<=", first.Result()), "%s: end of the second mapping", r.name)
	} else {
		g.Expect(second.Result()).To(gomega.BeNumerically(">=", first.Result()+block), "%s: start of the second mapping", r.name)
	}
}

func checkUnlimitedStack(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	l, _ := of(f)
	direction := "up"
	if l.ignoresStackLimit {
		direction = "down"
	}
	t.Step("unlimited.set").Result()
	for n := 1; n <= runs; n++ {
		r := run{t, fmt.Sprintf("unlimited.run %d", n)}
		if limit := r.step("conditions").Value("stack limit"); limit != "unlimited" {
			missing(r.name+".conditions", "stack limit", "is %s", limit)
		}
		grows(g, r, direction)
	}
}

func checkRandom(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	keys := []string{"stack", "top"}
	seen := map[string]map[string]bool{"stack": {}, "top": {}}
	for n := 1; n <= runs; n++ {
		r := ordinary(t, n)
		if o := r.step("conditions"); o.Value("randomize") == "0" {
			missing(o.Step, "randomize", "kernel.randomize_va_space is 0 on this machine")
		}
		for _, key := range keys {
			seen[key][r.step("places").Value(key)] = true
		}
	}
	for _, key := range keys {
		g.Expect(len(seen[key])).To(gomega.BeNumerically(">", 1), "different addresses of %s in %d runs", key, runs)
	}
}

func alignClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "AD-008", Level: verdict.Should,
			English: "Anonymous mappings whose length is no multiple of a huge page are not aligned to huge pages, but from 6.7 until 6.12 those longer than one are.",
			Chinese: "长度不是大页整数倍的匿名映射不按大页对齐；仅从 6.7 到 6.12 之前，长于一个大页的会对齐。",
			Source:  "commits efa7df3e3bb5 (6.7) and d4148aeab412 (6.12); observed on 5.10, 6.1 and 6.12 to 7.3; 6.7 to 6.11 not booted",
			Needs:   []abi.Feature{abi.HugePages},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				aligned(g, alignment(t, f, "plain"), "longer", history.AlignsLongMappings(f))
			},
		},
		{
			ID: "AD-009", Level: verdict.Should,
			English: "Anonymous mappings whose length is a multiple of a huge page are aligned to it from 6.7 on where the kernel has transparent huge pages, and not before.",
			Chinese: "长度为大页整数倍的匿名映射，从 6.7 起在具备透明大页的内核上按大页对齐，此前不对齐。",
			Source:  "commit efa7df3e3bb5 (6.7): thp_get_unmapped_area for anonymous memory; observed on 5.10 and 6.1 (not) and 6.12 to 7.3, on s390x also where the machine has no huge pages",
			Needs:   []abi.Feature{abi.HugePages},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				aligned(g, alignment(t, f, "plain"), "exact", history.AlignsHugePages(f))
			},
		},
		{
			ID: "AD-103", Level: verdict.Should,
			English: "MAP_STACK does not change how a mapping is aligned, although it keeps huge pages out of it.",
			Chinese: "MAP_STACK 不改变映射的对齐方式，尽管它使该映射不用大页。",
			Source:  "get_unmapped_area in mm/mmap.c does not look at MAP_STACK; observed on 5.10 to 7.3",
			Needs:   []abi.Feature{abi.HugePages},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := alignment(t, f, "stack")
				aligned(g, o, "longer", history.AlignsLongMappings(f))
				aligned(g, o, "exact", history.AlignsHugePages(f))
			},
		},
	}
}

// alignment returns the step whose mappings are as long as a huge page. It stops
// the check if the machine's huge pages have another size.
func alignment(t claim.Transcript, f facts.Facts, kind string) claim.Observation {
	t.Ended("align")
	_, p := of(f)
	if p.hugePage == 0 {
		missing("facts", "arch", "%s has no huge pages", f.Arch)
	}
	// The size is absent where the machine has no huge pages; the kernel aligns
	// all the same.
	huge := t.Step("align.huge page")
	if size, told := huge.Values["size"]; told && huge.Uint("size") != p.hugePage {
		missing(huge.Step, "size", "huge pages have %s bytes, not %d", size, p.hugePage)
	}
	return t.Step(fmt.Sprintf("align.%s %#x", kind, p.hugePage))
}

// aligned expects all mappings of a kind to be aligned, or at least one not to
// be. Between two of a kind the probe maps one extra page, so that at most one of
// two neighbours is aligned by chance.
func aligned(g gomega.Gomega, o claim.Observation, kind string, all bool) {
	made := o.Int("rounds")
	if made < 2 {
		missing(o.Step, "rounds", "too few to tell")
	}
	if all {
		g.Expect(o.Int(kind)).To(gomega.Equal(made), "%s: aligned mappings", o.Step)
	} else {
		g.Expect(o.Int(kind)).To(gomega.BeNumerically("<", made), "%s: aligned mappings", o.Step)
	}
}
