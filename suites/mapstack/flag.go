package mapstack

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// flagClaims returns the claims about what MAP_STACK does to a mapping, without
// those about huge pages.
func flagClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MS-001", Level: verdict.Must,
			English:  "mmap of private anonymous memory with MAP_STACK succeeds for one page, eight pages and 8 MiB.",
			Chinese:  "带 MAP_STACK 的私有匿名 mmap 对 1 页、8 页和 8 MiB 都成功。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux, and no entry of ERRORS is for it; observed on every booted kernel",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				for _, step := range sizes() {
					o := t.Step(step)
					expect.OK(g, o)
					g.Expect(o.Result()).NotTo(gomega.BeZero(), "%s: %s", o.Step, o.Call)
					g.Expect(o.Result()%uint64(f.PageSize)).To(gomega.BeZero(), "%s: %s returned %s, not aligned to %d", o.Step, o.Call, o.Ret, f.PageSize)
				}
			},
		},
		{
			ID: "MS-002", Level: verdict.Must,
			English:  "A mapping made with MAP_STACK keeps the protection that was asked for, and its first and last byte can be written and read back.",
			Chinese:  "带 MAP_STACK 的映射保持所请求的保护属性，其首字节和末字节均可写入并读回。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; prot describes the desired memory protection: PROT_READ, pages may be read, PROT_WRITE, pages may be written; real writes on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				for _, step := range sizes() {
					usable(g, t.Step(step))
				}
			},
		},
		{
			ID: "MS-003", Level: verdict.Must,
			English:  "MAP_STACK needs no privilege: a process of user 65534 without capabilities gets usable memory.",
			Chinese:  "MAP_STACK 不需要特权：用户 65534 且没有任何 capability 的进程也能得到可用内存。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; capabilities(7) names no right for it; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Features: []claim.Feature{feature.AnotherUser(probe, "unprivileged")},
			Check:    checkUnprivileged,
		},
		{
			ID: "MS-004", Level: verdict.Must,
			English:  "No mapping with MAP_STACK that would be allowed without it is refused as unsupported (EOPNOTSUPP) or unimplemented (ENOSYS).",
			Chinese:  "凡不带 MAP_STACK 时允许的映射，加上 MAP_STACK 后都不会以 EOPNOTSUPP 或 ENOSYS 被拒绝。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; EOPNOTSUPP is for MAP_SYNC and for flags that MAP_SHARED_VALIDATE does not know; MS-001, MS-003 and MS-007 demand more, and this is what the article says",
			UserMode: claim.Emulated,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				errnos := expect.Table(f)
				for _, step := range stackMappings(t, f) {
					o := t.Step(step)
					g.Expect(o.Errno).NotTo(gomega.BeElementOf(errnos.Errno("EOPNOTSUPP"), errnos.Errno("ENOSYS")),
						"%s: %s was refused with %s", o.Step, o.Call, o.Failure())
				}
			},
		},
		{
			ID: "MS-005", Level: verdict.Must,
			English:  "Adding MAP_STACK changes nothing of a mapping's permissions, name, resident pages and VmFlags but, at most, the flag nh.",
			Chinese:  "加上 MAP_STACK 后，映射的权限、名称、驻留页数和 VmFlags 除 nh 标志外没有任何变化。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; Documentation/filesystems/proc.rst: the fields of smaps and VmFlags, and nh, no huge page advise flag, which it sets since 6.8 (commit c4608d1bf7c6); observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				plain, stack := t.Step("compare.plain"), t.Step("compare.stack")
				expect.OK(g, plain)
				expect.OK(g, stack)
				for _, key := range []string{"perms", "name", "resident"} {
					equal(g, stack, key, plain.Value(key))
				}
				g.Expect(without(stack, "vmflags", "nh")).To(gomega.Equal(without(plain, "vmflags")),
					"VmFlags with MAP_STACK, nh left out, against those without it")
			},
		},
		{
			ID: "MS-006", Level: verdict.Should, // no interface promises that mappings merge
			English:  "A MAP_STACK mapping merges with an equal plain neighbour exactly when it does not carry nh.",
			Chinese:  "当且仅当 MAP_STACK 映射不带 nh 时，它与属性相同的相邻普通映射合并。",
			Source:   "mm/vma.c vma_merge compares vm_flags; observed merged on 5.10 and 6.1, not merged from 6.12 on",
			UserMode: claim.HostPlaces,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				control, stack := t.Step("merge.plain"), t.Step("merge.stack")
				expect.OK(g, control)
				expect.OK(g, stack)
				g.Expect(control.Value("left.end")).To(gomega.Equal(control.Value("right.end")),
					"two equal plain neighbours are one mapping")
				merged := stack.Value("left.end") == stack.Value("right.end")
				g.Expect(merged).To(gomega.Equal(!has(stack, "right.vmflags", "nh")),
					"merged with its neighbour, while VmFlags are %q", stack.Value("right.vmflags"))
			},
		},
		{
			ID: "MS-007", Level: verdict.Must,
			English:  "Files can be mapped with MAP_STACK as MAP_SHARED, MAP_PRIVATE and MAP_SHARED_VALIDATE, and a shared mapping writes to the file while a private one does not.",
			Chinese:  "文件可以带 MAP_STACK 以 MAP_SHARED、MAP_PRIVATE 和 MAP_SHARED_VALIDATE 方式映射；共享映射写入文件，私有映射不写入。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; MAP_SHARED, updates are carried through to the underlying file, MAP_PRIVATE, they are not, and MAP_SHARED_VALIDATE (since Linux 4.15), the same as MAP_SHARED; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, kind := range []struct{ step, perms, file string }{
					{"file.shared", "rw-s", "165"},
					{"file.private", "rw-p", "0"},
					{"file.shared_validate", "rw-s", "165"},
				} {
					o := t.Step(kind.step)
					expect.OK(g, o)
					equal(g, o, "perms", kind.perms)
					equal(g, o, "first", "ok")
					equal(g, o, "last", "ok")
					equal(g, o, "file", kind.file)
				}
			},
		},
		{
			ID: "MS-008", Level: verdict.Must,
			English:  "Every protection from PROT_NONE to PROT_READ|PROT_WRITE|PROT_EXEC is accepted with MAP_STACK and shown unchanged in maps, but for executable memory that a policy refuses without MAP_STACK as well; riscv64 may add reading to writing.",
			Chinese:  "从 PROT_NONE 到 PROT_READ|PROT_WRITE|PROT_EXEC 的每种保护属性都可与 MAP_STACK 同用，并在 maps 中原样显示（策略对不带 MAP_STACK 的可执行内存也同样拒绝者除外）；riscv64 可为可写映射加上可读。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; prot is PROT_NONE or the bitwise OR of the others; proc(5): the permissions in /proc/PID/maps; NOTES: on some architectures PROT_WRITE implies PROT_READ (riscv64 from 7.0, arch/riscv/include/asm/mman.h)",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				for prot := uint64(0); prot < 8; prot++ {
					o := t.Step(fmt.Sprintf("prot.%d", prot))
					if prot&expect.Table(f).Prot.Exec != 0 && !granted(g, t, o, fmt.Sprintf("prot.plain.%d", prot)) {
						continue
					}
					expect.OK(g, o)
					expect.Permitted(g, expect.Table(f), o, prot)
				}
			},
		},
		{
			ID: "MS-009", Level: verdict.Must,
			English:  "MAP_STACK does not relax the mapping types: anonymous memory may be MAP_SHARED, but MAP_SHARED_VALIDATE or no type at all is EINVAL.",
			Chinese:  "MAP_STACK 不放宽映射类型规则：匿名内存可用 MAP_SHARED，而 MAP_SHARED_VALIDATE 或不给类型则返回 EINVAL。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; ERRORS: EINVAL, flags contained none of MAP_PRIVATE, MAP_SHARED, or MAP_SHARED_VALIDATE; do_mmap in mm/mmap.c (4.19 to 7.3) for anonymous memory with the last; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				expect.OK(g, t.Step("type.shared"))
				equal(g, t.Step("type.shared"), "perms", "rw-s")
				expect.Errno(g, expect.Table(f), t.Step("type.shared_validate"), "EINVAL")
				expect.Errno(g, expect.Table(f), t.Step("type.none"), "EINVAL")
			},
		},
		{
			ID: "MS-011", Level: verdict.Must,
			English:  "A MAP_STACK mapping is neither populated nor locked, and does not grow: touching the byte below it faults.",
			Chinese:  "MAP_STACK 映射既不预先填充也不锁定，也不会向下增长：访问其下方一个字节会触发异常。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; MAP_POPULATE, MAP_LOCKED and MAP_GROWSDOWN are flags of their own; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check:    checkGrowth,
		},
		{
			ID: "MS-012", Level: verdict.Must,
			English:  "MAP_STACK does not change what MAP_NORESERVE, MAP_POPULATE, MAP_NONBLOCK, MAP_GROWSDOWN and MAP_HUGETLB do.",
			Chinese:  "MAP_STACK 不改变 MAP_NORESERVE、MAP_POPULATE、MAP_NONBLOCK、MAP_GROWSDOWN 和 MAP_HUGETLB 的作用。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux, and what each of the other flags does; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check:    checkCombinations,
		},
		{
			ID: "MS-013", Level: verdict.Must,
			English:  "A MAP_STACK mapping has no name in maps.",
			Chinese:  "MAP_STACK 映射在 maps 中没有名字。",
			Source:   "proc(5), /proc/PID/maps: if the pathname field is blank, this is an anonymous mapping; [stack:tid] was shown from 3.4 to 4.4 alone; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, step := range sizes() {
					expect.OK(g, t.Step(step))
					equal(g, t.Step(step), "name", "")
				}
			},
		},
	}
}

func sizes() []string { return []string{"map.1p", "map.8p", "map.8m"} }

// stackMappings returns the steps that map with MAP_STACK what is allowed without
// it. Another user makes the first of them too, if root could become one.
func stackMappings(t claim.Transcript, f facts.Facts) []string {
	steps := sizes()
	if f.UID != 0 || feature.NotBecome(t.Step("unprivileged").Observation) == "" {
		steps = append(steps, "unprivileged.map.1p", "unprivileged.map.8p", "unprivileged.map.8m")
	}
	steps = append(steps, "compare.stack", "merge.stack", "file.shared", "file.private", "file.shared_validate",
		"type.shared", "thp.map", "growth", "glibc.mmap")
	for prot := 0; prot < 8; prot++ {
		steps = append(steps, fmt.Sprintf("prot.%d", prot))
	}
	return steps
}

func checkUnprivileged(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	t.Ended("unprivileged")
	who := t.Step("unprivileged.who")
	if who.Value("uid") != "65534" || strings.Trim(who.Value("capeff"), "0") != "" {
		panic(claim.Missing{Probe: probe, Step: who.Step, Value: "uid",
			Reason: fmt.Sprintf("the child was to be user 65534 without capabilities, and was %v", who.Values)})
	}
	for _, step := range sizes() {
		usable(g, t.Step("unprivileged."+step))
	}
}

func checkGrowth(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	o := t.Step("growth")
	expect.OK(g, o)
	if o.Value("below.mapped") != "false" {
		panic(claim.Missing{Probe: probe, Step: o.Step, Value: "below.mapped",
			Reason: "something else was mapped just below, so growth could not be tried"})
	}
	equal(g, o, "resident", "0")
	flagged(g, o, "vmflags", "gd", false)
	flagged(g, o, "vmflags", "lo", false)
	equal(g, o, "below.write", "fault")
	equal(g, o, "after.start", o.Value("asked"))
}

func checkCombinations(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	for _, other := range []string{"noreserve", "populate", "nonblock", "growsdown", "hugetlb"} {
		plain, stack := t.Step("with."+other+".plain"), t.Step("with."+other+".stack")
		g.Expect(stack.Failure()).To(gomega.Equal(plain.Failure()),
			"%s beside %s, which is the same without MAP_STACK", stack.Call, plain.Call)
		if !plain.OK() {
			continue
		}
		g.Expect(without(stack, "vmflags", "nh")).To(gomega.Equal(without(plain, "vmflags", "nh")),
			"VmFlags of %s, nh left out, against %s", stack.Call, plain.Call)
		equal(g, stack, "resident", plain.Value("resident"))
	}
	// Each flag must be seen to work: two failures are no agreement.
	if huge := t.Step("with.hugetlb.stack"); huge.OK() {
		flagged(g, huge, "vmflags", "ht", true)
	}
	equal(g, t.Step("with.populate.stack"), "resident", "16")
	equal(g, t.Step("with.nonblock.stack"), "resident", "0")
	flagged(g, t.Step("with.growsdown.stack"), "vmflags", "gd", true)
	// MAP_NORESERVE is ignored where the system never overcommits.
	mode, known := f.Sysctl("vm.overcommit_memory")
	if !known {
		panic(claim.Missing{Probe: "facts", Step: "sysctl", Value: "vm.overcommit_memory", Reason: "never reported"})
	}
	if mode != "2" {
		flagged(g, t.Step("with.noreserve.stack"), "vmflags", "nr", true)
		flagged(g, t.Step("with.noreserve.stack"), "vmflags", "ac", false)
	}
}
