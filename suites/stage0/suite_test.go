package stage0

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// said returns what stage 0 observed: on kernels of the matrix, and for alpha and
// sw64 below a user-mode emulator.
func said(t testing.TB, name string) (tr wire.Transcript) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err == nil {
		err = json.Unmarshal(b, &tr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return onePage(tr)
}

// onePage adds the steps that unmap a page, which are newer than the recordings.
func onePage(tr wire.Transcript) wire.Transcript {
	if slices.ContainsFunc(tr.Observations, func(o wire.Observation) bool { return o.Step == stage0.OnePage }) {
		return tr
	}
	status := func(status string) map[string]string { return map[string]string{"status": status} }
	return recorded.With(tr,
		wire.Observation{Step: stage0.MapPages, Call: "mmap", Ret: "0x7f0000000000"},
		wire.Observation{Step: stage0.HalfPage, Call: "munmap", Errno: 22, Error: "EINVAL"},
		wire.Observation{Step: stage0.OnePage, Call: "munmap", Ret: "0x0"},
		wire.Observation{Step: stage0.FirstPage, Call: "clone", Ret: "0x1f", Values: status("0xb")},
		wire.Observation{Step: stage0.NextPage, Call: "clone", Ret: "0x1f", Values: status("0x0")},
	)
}

// judge decides every claim without any facts.
func judge(arch string, tr wire.Transcript) map[string]verdict.Outcome {
	outcomes := map[string]verdict.Outcome{}
	ev := claim.Evidence{Cell: matrix.Cell{Name: "c", Arch: arch}, Transcripts: map[string]wire.Transcript{stage0.Probe: tr},
		Lost: claim.Loss{Why: "the kernel could not start the agent", Status: verdict.NotRun}}
	for _, o := range Suite().Judge(ev, nil) {
		outcomes[o.Claim] = recorded.Noted(o)
	}
	return outcomes
}

// TestKernelsThatWereAskedAreRight also fails if a claim needs a guest that booted.
func TestKernelsThatWereAskedAreRight(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64", "loong64", "mips64le", "alpha"} {
		for id, o := range judge(arch, said(t, arch)) {
			if o.Status != verdict.Pass && !(o.Status == verdict.Unsupported && id == "SZ-013" && arch != "loong64") {
				t.Errorf("%s on %s: %s: %s", id, arch, o.Status, o.Reason)
			}
		}
	}
}

func TestEveryClaimCanFail(t *testing.T) {
	fails, works, shows := recorded.Errno, recorded.Success, recorded.Value
	wrong := map[string][]recorded.Wrong{
		"amd64": {
			{Claim: "SZ-001", Step: "mmap.anonymous-0x20", Change: fails(9, "EBADF")},
			{Claim: "SZ-001", Step: "touch.mmap.anonymous-0x20.read", Change: shows("status", "0xb")},
			{Claim: "SZ-001", Step: "touch.mmap.anonymous-0x20.write", Change: shows("status", "0x200")}, // a write that was lost
			{Claim: "SZ-001", Step: "touch.mmap.anonymous-0x20.write", Change: fails(11, "EAGAIN")},
			{Claim: "SZ-002", Step: "mmap.anonymous-0x800", Change: works("0x7f0000000000")},
			{Claim: "SZ-002", Step: "mmap.anonymous-0x10", Change: fails(22, "EINVAL")},
			{Claim: "SZ-003", Step: "mmap.stack-0x20000", Change: fails(12, "ENOMEM")},
			{Claim: "SZ-003", Step: "touch.mmap.stack-0x20000.write", Change: shows("status", "0x8b")}, // read-only, with a core file
			{Claim: "SZ-004", Step: "munmap.mmap.anonymous-0x20", Change: fails(22, "EINVAL")},
			{Claim: "SZ-004", Step: "touch.mmap.stack-0x20000.gone", Change: shows("status", "0x0")},
			{Claim: "SZ-005", Step: "touch.read-only.write", Change: shows("status", "0x0")},
			{Claim: "SZ-005", Step: "touch.read-only.write", Change: shows("status", "0x7")}, // SIGBUS
			{Claim: "SZ-006", Step: "call.unknown", Change: fails(78, "")},
			{Claim: "SZ-006", Step: "call.unknown", Change: works("0x0")},
			{Claim: "SZ-007", Step: "futex.another-value", Change: fails(35, "")},
			{Claim: "SZ-007", Step: "futex.another-value", Change: fails(110, "ETIMEDOUT")},
			{Claim: "SZ-008", Step: "sigprocmask.8", Change: fails(22, "EINVAL")},
			{Claim: "SZ-008", Step: "sigprocmask.16", Change: works("0x0")},
			{Claim: "SZ-009", Step: "thread", Change: fails(11, "EAGAIN")},
			{Claim: "SZ-009", Step: "thread", Change: shows("wrote", "0x0")},
			{Claim: "SZ-009", Step: "thread", Change: shows("tid after", "0x1f")},
			{Claim: "SZ-010", Step: "clone.without-sighand", Change: works("0x1f")},
			{Claim: "SZ-010", Step: "clone.without-sighand", Change: fails(38, "ENOSYS")},
			{Claim: "SZ-011", Step: "clone.limit-6", Change: works("0x1f")},
			{Claim: "SZ-011", Step: "clone.limit-8", Change: fails(11, "EAGAIN")},
			{Claim: "SZ-012", Step: "auxv", Change: shows("AT_PAGESZ", "0x0")},
			{Claim: "SZ-012", Step: "auxv", Change: shows("AT_PAGESZ", "0x1001")},
			{Claim: "SZ-012", Step: "auxv", Change: shows("AT_PAGESZ", "0x4000")}, // another architecture's
			{Claim: "SZ-012", Step: "munmap.half-page", Change: works("0x0")},     // pages are smaller
			{Claim: "SZ-012", Step: "munmap.page", Change: fails(22, "EINVAL")},
			{Claim: "SZ-012", Step: "touch.page.gone", Change: shows("status", "0x0")},
			{Claim: "SZ-012", Step: "touch.next-page.read", Change: shows("status", "0xb")}, // pages are larger
		},
		"mips64le": {
			{Claim: "SZ-006", Step: "call.unknown", Change: fails(38, "")},
			{Claim: "SZ-008", Step: "sigprocmask.16", Change: fails(22, "EINVAL")},
			{Claim: "SZ-011", Step: "clone.limit-8", Change: works("0x1f")},
		},
		"alpha": {
			{Claim: "SZ-001", Step: "mmap.anonymous-0x10", Change: fails(9, "EBADF")},
			{Claim: "SZ-002", Step: "mmap.anonymous-0x20", Change: works("0x20000000")},
			{Claim: "SZ-003", Step: "mmap.stack-0x80000", Change: fails(12, "ENOMEM")},
			{Claim: "SZ-007", Step: "futex.another-value", Change: fails(11, "EDEADLK")},
		},
		"loong64": {
			{Claim: "SZ-008", Step: "sigprocmask.8", Change: fails(22, "EINVAL")},
			{Claim: "SZ-012", Step: "auxv", Change: shows("AT_PAGESZ", "0x2000")},
			{Claim: "SZ-013", Step: "getrlimit.generic", Change: works("0x0")},
		},
	}
	var shown []string
	for arch, list := range wrong {
		tr := said(t, arch)
		for _, w := range list {
			shown = append(shown, w.Claim)
			if o := judge(arch, recorded.Change(t, tr, w.Step, w.Change))[w.Claim]; o.Status != verdict.Fail {
				t.Errorf("%s on %s with another %q: %s: %s", w.Claim, arch, w.Step, o.Status, o.Reason)
			}
		}
	}
	for _, c := range Suite().Claims {
		if !slices.Contains(shown, c.ID) {
			t.Errorf("no wrong answer shows that %s can fail", c.ID)
		}
	}
}

// TestAnEmulatorWithAnotherABIFails fails if the public sw64 user-mode emulator
// passes, which has the errors of sw64 but the flags and limits of asm-generic. It was built
// four times: as published, and with the tables of alpha for MAP_*, then RLIMIT_*, then O_*.
func TestAnEmulatorWithAnotherABIFails(t *testing.T) {
	for name, want := range map[string][]string{
		"sw64-generic-user": {"SZ-001", "SZ-002", "SZ-003", "SZ-004", "SZ-005", "SZ-009"},
		"sw64-map-user":     {"SZ-011"},
		"sw64-rlimit-user":  nil, // what is wrong there is no claim, and stage 0 names it
		"sw64-mended-user":  nil,
	} {
		if red := recorded.Red(judge("sw64", said(t, name))); !slices.Equal(red, want) {
			t.Errorf("%s: %v fail, want %v", name, red, want)
		}
	}
}

// TestSilenceIsNoFault fails if a kernel is blamed for a frame that printk cut off,
// or for a limit that could not be set.
func TestSilenceIsNoFault(t *testing.T) {
	tr := said(t, "loong64")
	for _, o := range tr.Observations {
		for id, o2 := range judge("loong64", recorded.Without(t, tr, o.Step)) {
			if o2.Status != verdict.Pass && o2.Status != verdict.Error {
				t.Errorf("without step %q %s is %s", o.Step, id, o2.Status)
			}
		}
	}
	for id, o := range judge("loong64", wire.Transcript{Probe: stage0.Probe}) {
		if o.Status != verdict.Error {
			t.Errorf("%s on an empty transcript is %s", id, o.Status)
		}
	}
	unset := recorded.Change(t, tr, "clone.limit-6", recorded.Value("prlimit64", "0xffffffffffffffff"))
	if o := judge("loong64", recorded.Change(t, unset, "clone.limit-6", recorded.Success("0x1f")))["SZ-011"]; o.Status != verdict.Error {
		t.Errorf("a limit that could not be set: %+v", o)
	}
	tr.Exit = wire.Exit{Code: -1}
	if o := judge("loong64", tr)["SZ-001"]; o.Status != verdict.Error {
		t.Errorf("a transcript without its end: %+v", o)
	}
}

func TestWhereNothingCanBeAskedNothingIsClaimed(t *testing.T) {
	for id, o := range judge("riscv64", wire.Transcript{}) {
		if o.Status != verdict.Unsupported || o.Reason == "" {
			t.Errorf("%s on riscv64: %+v", id, o)
		}
	}
}

// TestEveryPageSizeOfAnArchitecturePasses fails if a kernel is refused for a page size
// that its vendor may choose, or if an architecture that stage 0 can ask has no sizes.
func TestEveryPageSizeOfAnArchitecturePasses(t *testing.T) {
	for _, a := range abi.All() {
		if sizes := pageSizes(a.GOARCH); (len(sizes) == 0) != (unassembled(a) != "") {
			t.Errorf("%s has the page sizes %v", a.GOARCH, sizes)
		}
	}
	for _, size := range []string{"0x1000", "0x4000", "0x10000"} {
		tr := recorded.Change(t, said(t, "loong64"), "auxv", recorded.Value("AT_PAGESZ", size))
		if o := judge("loong64", tr)["SZ-012"]; o.Status != verdict.Pass {
			t.Errorf("pages of %s bytes on loong64: %+v", size, o)
		}
	}
}

// TestAnAddedCallCondemnsNoKernel fails if a kernel of LoongArch's new world does not
// conform because a module gives programs of the old world their calls.
func TestAnAddedCallCondemnsNoKernel(t *testing.T) {
	tr := recorded.Change(t, said(t, "loong64"), stage0.OldLimits, recorded.Success("0x0"))
	for id, o := range judge("loong64", tr) {
		if o.Status == verdict.Fail && o.Level == verdict.Must {
			t.Errorf("%s: %+v", id, o)
		}
	}
}

// TestWithoutAnotherUserNoLimitIsTried fails if a kernel is blamed where root could become no
// other user, to whom the limit would apply.
func TestWithoutAnotherUserNoLimitIsTried(t *testing.T) {
	for _, errno := range []string{"0xffffffffffffffff", "0xffffffffffffffea"} {
		tr := said(t, "loong64")
		for _, step := range []string{"clone.limit-6", "clone.limit-8"} {
			tr = recorded.Change(t, tr, step, recorded.Success("0x1f"))
			tr = recorded.Change(t, tr, step, recorded.Value("setresuid", errno))
		}
		if o := judge("loong64", tr)["SZ-011"]; o.Status != verdict.Unsupported {
			t.Errorf("setresuid answers %s: %+v", errno, o)
		}
	}
}
