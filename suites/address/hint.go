package address

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

func hintClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "AD-003", Level: verdict.Must,
			English:  "A hint that is page-aligned, free for the whole length and inside the default window is honoured exactly, also next to another mapping.",
			Chinese:  "页对齐、整个长度均空闲且位于默认窗口内的提示地址会被精确采纳，紧邻其他映射时亦然。",
			Source:   "mmap(2): the kernel attempts to create the mapping at the hint, and picks a new address if another mapping already exists there; observed on 4.19 to 7.3",
			Features: []claim.Feature{feature.AddressBits(37)},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, step := range []string{
					"hint free", "hint free below 2^31", "hint free just above a mapping", "hint free just below a mapping",
				} {
					o := t.Step(step)
					free(o)
					exact(g, o, "first", "last")
				}
			},
		},
		{
			ID: "AD-004", Level: verdict.Must,
			English:  "A hint whose range is occupied, wholly or at either end, gives another address and no error, and what is mapped there keeps its content.",
			Chinese:  "提示地址的范围被占用（全部或任一端）时给出另一地址而不报错，原有映射的内容保持不变。",
			Source:   "mmap(2): if another mapping already exists at the hint, the kernel picks a new address",
			Features: []claim.Feature{feature.AddressBits(37)},
			Check:    checkOccupied,
		},
	}
}

func checkOccupied(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	there := t.Step("neighbour")
	start, end := there.Uint("start"), there.Uint("end")
	for _, step := range []string{"hint occupied", "hint occupied at its end", "hint occupied at its start"} {
		o := t.Step(step)
		if asked := o.Uint("asked"); asked >= end || asked+o.Uint("length") <= start {
			missing(step, "asked", "%#x is not occupied", asked)
		}
		expect.OK(g, o)
		g.Expect(o.Result() >= end || o.Result()+o.Uint("length") <= start).To(gomega.BeTrue(),
			"step %s: %s returned %#x, which is outside of %#x to %#x", step, o.Call, o.Result(), start, end)
		usable(g, o, "first", "last")
	}
	for _, key := range []string{"first", "last"} {
		g.Expect(t.Step("neighbour afterwards").Value(key)).To(gomega.Equal(stored), "the %s byte of what was there", key)
	}
}

func floorClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "AD-002", Level: verdict.Must,
			English:  "A hint below vm.mmap_min_addr is not returned as it is: the memory is at that address or above it. A free hint at or above it is honoured.",
			Chinese:  "低于 vm.mmap_min_addr 的提示地址不会原样返回：内存位于该地址或其上。等于或高于它且空闲的提示地址会被采纳。",
			Source:   "mmap(2): the kernel picks a page boundary near the hint, but always above or equal to the value of /proc/sys/vm/mmap_min_addr; observed on 4.19 to 7.3",
			Features: []claim.Feature{feature.Settable("vm.mmap_min_addr", probe, "floor.raise")},
			Check:    checkFloor,
		},
		{
			ID: "AD-109", Level: verdict.Should,
			English:  "mmap moves a hint below vm.mmap_min_addr up to exactly that address.",
			Chinese:  "mmap 将低于 vm.mmap_min_addr 的提示地址精确上移到该地址。",
			Source:   "round_hint_to_min in mm/mmap.c of 4.19 to 7.3; observed on Debian: hint 0x1000 becomes 0x10000 on amd64 and 0x8000 on other kernels with pages of 4 KiB. No file shows the security modules' part of that floor (CONFIG_LSM_MMAP_MIN_ADDR), so the exact address is claimed with the sysctl raised above it",
			Features: []claim.Feature{feature.Settable("vm.mmap_min_addr", probe, "floor.raise")},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				floor := raisedTo(t)
				for _, step := range belowRaised() {
					o := t.Step(step)
					expect.OK(g, o)
					g.Expect(o.Result()).To(gomega.Equal(floor), "step %s: %s", step, o.Call)
				}
			},
		},
		{
			ID: "AD-101", Level: verdict.Should,
			English: "A hint that rounds down to page 0 is no hint: the mapping goes where one without a hint goes.",
			Chinese: "向下取整到第 0 页的提示地址等于没有提示：映射放在没有提示时所放之处。",
			Source:  "round_hint_to_min in mm/mmap.c of 4.19 to 7.3: with pages of 16 KiB and more 0x1000 is such a hint; observed with pages of 16 and 64 KiB",
			Check:   checkNoHint,
		},
		{
			ID: "AD-010", Level: verdict.Should,
			English: "vm.mmap_min_addr is above 0 and keeps users from page 0, where null pointers lead.",
			Chinese: "vm.mmap_min_addr 大于 0，使普通用户无法映射空指针所指的第 0 页。",
			Source:  "mm/Kconfig DEFAULT_MMAP_MIN_ADDR; observed on Debian: 65536 on amd64 and 4096 elsewhere",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				t.Ended("user")
				g.Expect(t.Step("user.who").Uint("floor")).To(gomega.BeNumerically(">", 0), "vm.mmap_min_addr")
				refusedLow(g, f, t.Step("user.fixed 0x0"))
			},
		},
		{
			ID: "AD-011", Level: verdict.Must,
			English:  "A fixed mapping below vm.mmap_min_addr is refused with EPERM to a user and granted to root with CAP_SYS_RAWIO, page 0 included; at or above it both get the address. SELinux may refuse addresses below a floor of its own, with EACCES.",
			Chinese:  "低于 vm.mmap_min_addr 的固定映射对普通用户以 EPERM 拒绝，对具有 CAP_SYS_RAWIO 的 root 则允许（包括第 0 页）；等于或高于它时两者都得到该地址。SELinux 可以对低于其自身下限的地址以 EACCES 拒绝。",
			Source:   "capabilities(7): CAP_SYS_RAWIO is for memory mappings at addresses below the value of /proc/sys/vm/mmap_min_addr; errno(3): EPERM, operation not permitted; selinux_mmap_addr in security/selinux/hooks.c: mmap_zero below CONFIG_LSM_MMAP_MIN_ADDR; observed on 4.19 to 7.3",
			Features: []claim.Feature{feature.RawIO()},
			Check:    checkLow,
		},
		{
			ID: "AD-104", Level: verdict.Must,
			English:  "The limit for users is vm.mmap_min_addr to the page, also after it was changed: the page below is refused with EPERM, and to root granted.",
			Chinese:  "普通用户的下限精确到页地等于 vm.mmap_min_addr，修改后亦然：其下一页以 EPERM 拒绝，而对 root 允许。",
			Source:   "capabilities(7): CAP_SYS_RAWIO is for memory mappings at addresses below the value of /proc/sys/vm/mmap_min_addr, and to update it; errno(3): EPERM, operation not permitted; observed on 4.19 to 7.3",
			Features: []claim.Feature{feature.Settable("vm.mmap_min_addr", probe, "floor.raise"), feature.RawIO()},
			Check:    checkRaisedLimit,
		},
	}
}

// raisedTo returns the value that vm.mmap_min_addr was raised to. It stops the
// check if the sysctl could not be written, which says nothing about mmap.
func raisedTo(t claim.Transcript) uint64 {
	t.Ended("floor")
	const wanted = 1 << 24
	if got := t.Step("floor.raise").Uint("value"); got != wanted {
		missing("floor.raise", "value", "the sysctl is %d after it was set to %d", got, wanted)
	}
	return wanted
}

// belowRaised are the steps with a hint below the raised floor.
func belowRaised() []string {
	return []string{"floor.raised, one page", "floor.raised, a page below"}
}

func checkFloor(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	for _, step := range []string{"floor.less than a page", "floor.one page"} {
		o := t.Step(step)
		aboveFloor(g, o, o.Uint("floor"))
		usable(g, o, "store")
	}
	floor := raisedTo(t)
	for _, step := range belowRaised() {
		o := t.Step(step)
		aboveFloor(g, o, floor)
		usable(g, o, "first", "last")
	}
	for _, step := range []string{"floor.raised, at", "floor.raised, a page above"} {
		o := t.Step(step)
		free(o)
		exact(g, o, "first", "last")
	}
}

// aboveFloor expects a mapping that is not below the floor.
func aboveFloor(g gomega.Gomega, o claim.Observation, floor uint64) {
	expect.OK(g, o)
	g.Expect(o.Result()).To(gomega.BeNumerically(">=", floor), "step %s: %s", o.Step, o.Call)
}

func checkNoHint(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	for _, step := range []string{"floor.less than a page", "floor.one page"} {
		o := t.Step(step)
		if o.Uint("asked") >= uint64(f.PageSize) {
			continue // AD-002 is about such hints
		}
		expect.OK(g, o)
		// Between two pages without a hint lie at most all other mappings.
		between := o.Uint("vmsize") * uint64(f.PageSize)
		distance := max(o.Result(), o.Uint("plain")) - min(o.Result(), o.Uint("plain"))
		g.Expect(distance).To(gomega.BeNumerically("<=", between), "step %s: from %#x, without a hint, to %#x", step, o.Uint("plain"), o.Result())
		usable(g, o, "store")
	}
}

func checkLow(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	for _, who := range []string{"root", "user"} {
		t.Ended(who)
		uid, floor := t.Step(who+".who").Int("uid"), t.Step(who+".who").Uint("floor")
		if (uid == 0) != (who == "root") {
			missing(who+".who", "uid", "the child runs as %d", uid)
		}
		for at := uint64(0); at < 1<<16; at += uint64(f.PageSize) {
			if at != 0 && at != 0x1000 && at != 0x4000 && at != 0x8000 {
				continue
			}
			o := t.Step(fmt.Sprintf("%s.fixed %#x", who, at))
			free(o)
			switch {
			case who == "user" && at < floor:
				refusedLow(g, f, o)
			case refusedByModule(f, o, at):
				expect.Errno(g, expect.Table(f), o, "EACCES")
			default:
				exact(g, o, "store")
			}
		}
	}
}

// highestModuleFloor is the largest CONFIG_LSM_MMAP_MIN_ADDR that security/Kconfig names.
const highestModuleFloor = 1 << 16

// refusedByModule reports whether an answer may be that of SELinux, which lets nobody
// without mmap_zero map below CONFIG_LSM_MMAP_MIN_ADDR, root included. It stops the check
// if the active modules are unknown.
func refusedByModule(f facts.Facts, o claim.Observation, at uint64) bool {
	floor := uint64(highestModuleFloor)
	if configured, err := strconv.ParseUint(f.Config["CONFIG_LSM_MMAP_MIN_ADDR"], 0, 64); err == nil {
		floor = configured
	}
	if at >= floor || o.OK() || o.Errno != expect.Table(f).Errno("EACCES") {
		return false
	}
	if f.LSMs == nil {
		missing(o.Step, "", "%s fails with EACCES, and which security modules are active is unknown", o.Call)
	}
	return slices.Contains(f.LSMs, "selinux")
}

func checkRaisedLimit(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	raisedTo(t)
	o := t.Step("floor.raised, root a page below")
	free(o)
	exact(g, o, "store")
	t.Step("floor.become user").Result()
	o = t.Step("floor.raised, user a page below")
	free(o)
	refusedLow(g, f, o)
	o = t.Step("floor.raised, user at")
	free(o)
	exact(g, o, "store")
}

// refusedLow expects the error of cap_mmap_addr.
func refusedLow(g gomega.Gomega, f facts.Facts, o claim.Observation) {
	expect.Errno(g, expect.Table(f), o, "EPERM")
}
