package mapstack

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// usual is the recording that changes are made to: an amd64 host with Linux
// 6.18. The others were made on Debian kernels under QEMU. All ran as root.
const usual = "amd64-6.18"

// recording is what the probes said on one kernel.
type recording struct {
	Facts    wire.Transcript `json:"facts"`
	Mapstack wire.Transcript `json:"mapstack"`
}

func recorded(t *testing.T, name string) (wire.Transcript, facts.Facts) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	f, err := facts.Parse(r.Facts, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r.Mapstack, f
}

func judge(c claim.Claim, t wire.Transcript, f facts.Facts) verdict.Outcome {
	return claim.Judge(c, claim.Evidence{
		Cell:        matrix.Cell{Name: "test", Arch: f.Arch},
		Facts:       &f,
		Transcripts: map[string]wire.Transcript{probe: t},
	}, nil)
}

// change is one thing that a wrong kernel could have answered instead.
type change func(*wire.Transcript)

// step finds the observation to change; a test about no step proves nothing.
func step(t *wire.Transcript, name string) *wire.Observation {
	for i := range t.Observations {
		if t.Observations[i].Step == name {
			return &t.Observations[i]
		}
	}
	panic("the recording has no step " + name)
}

func set(name, key, value string) change {
	return func(t *wire.Transcript) { step(t, name).Values[key] = value }
}

func fails(name string, errno int, called string) change {
	return func(t *wire.Transcript) {
		o := step(t, name)
		o.Ret, o.Errno, o.Error = "", errno, called
	}
}

func succeeds(name string) change {
	return func(t *wire.Transcript) {
		o := step(t, name)
		o.Ret, o.Errno, o.Error = "0x7f0000000000", 0, ""
	}
}

// flag adds a word to VmFlags, or with a minus removes it.
func flag(name, key, word string) change {
	return func(t *wire.Transcript) {
		o := step(t, name)
		words := strings.Fields(o.Values[key])
		if gone, remove := strings.CutPrefix(word, "-"); remove {
			words = slices.DeleteFunc(words, func(w string) bool { return w == gone })
		} else {
			words = append(words, word)
		}
		o.Values[key] = strings.Join(words, " ")
	}
}

func TestAreaIsValid(t *testing.T) {
	if err := claim.Validate([]claim.Area{Area()}); err != nil {
		t.Fatal(err)
	}
}

func TestRecordedKernelsConform(t *testing.T) {
	for _, name := range []string{
		usual, "amd64-5.10", "arm64-6.12-16k", "loong64-7.2", "mips64le-6.1-loongson3",
		"mips64le-6.1-malta", "ppc64le-7.2-64k", "riscv64-7.2", "s390x-7.2",
	} {
		transcript, f := recorded(t, name)
		for _, c := range Area().Claims {
			if got := judge(c, transcript, f); got.Status != verdict.Pass {
				t.Errorf("%s: %s is %s: %s", name, c.ID, got.Status, got.Reason)
			}
		}
	}
}

// TestEveryClaimCanFail fails if a check does not notice what it is about.
func TestEveryClaimCanFail(t *testing.T) {
	changes := wrong()
	for _, c := range Area().Claims {
		if len(changes[c.ID]) == 0 {
			t.Errorf("no change is known that makes %s fail", c.ID)
		}
		for _, name := range slices.Sorted(maps.Keys(changes[c.ID])) {
			transcript, f := recorded(t, usual)
			changes[c.ID][name](&transcript)
			if got := judge(c, transcript, f); got.Status != verdict.Fail || got.Reason == "" {
				t.Errorf("%s, %s: %s, want fail: %s", c.ID, name, got.Status, got.Reason)
			}
		}
		delete(changes, c.ID)
	}
	for id := range changes {
		t.Errorf("changes for %s, which is no claim", id)
	}
}

// TestSilenceIsNeverAVerdict fails if a claim passes or fails on a transcript
// that says nothing.
func TestSilenceIsNeverAVerdict(t *testing.T) {
	_, f := recorded(t, usual)
	for _, c := range Area().Claims {
		if got := judge(c, wire.Transcript{Probe: probe}, f); got.Status != verdict.Error {
			t.Errorf("%s on an empty transcript is %s", c.ID, got.Status)
		}
	}
}

// TestWhatCouldNotBeToldIsNoVerdict fails if the claims about smaps blame a
// kernel that has no VmFlags, or a child that never ran.
func TestWhatCouldNotBeToldIsNoVerdict(t *testing.T) {
	transcript, f := recorded(t, usual)
	for i := range transcript.Observations {
		o := &transcript.Observations[i]
		for _, key := range []string{"vmflags", "left.vmflags", "right.vmflags", "stack.vmflags", "guard.vmflags"} {
			if _, ok := o.Values[key]; ok {
				delete(o.Values, key)
				o.Unknown = map[string]string{key: "smaps has no VmFlags"}
			}
		}
	}
	byID := map[string]claim.Claim{}
	for _, c := range Area().Claims {
		byID[c.ID] = c
	}
	for _, id := range []string{"MS-005", "MS-006", "MS-010", "MS-011", "MS-014", "MS-015", "MS-017", "PR-002", "PR-009", "PR-010"} {
		if got := judge(byID[id], transcript, f); got.Status != verdict.Error {
			t.Errorf("%s without VmFlags is %s", id, got.Status)
		}
	}
	for name, change := range map[string]change{
		"the child kept a capability": set("unprivileged.who", "capeff", "0000000000000001"),
		"the child stayed root":       set("unprivileged.who", "uid", "0"),
		"the child timed out":         set("unprivileged", "timedout", "true"),
	} {
		transcript, f := recorded(t, usual)
		change(&transcript)
		if got := judge(byID["MS-003"], transcript, f); got.Status != verdict.Error {
			t.Errorf("MS-003, %s: %s", name, got.Status)
		}
	}
	transcript, f = recorded(t, usual)
	*step(&transcript, "file.shared") = wire.Observation{Step: "file.shared", Unknown: map[string]string{"file": "memfd_create: EMFILE"}}
	for _, id := range []string{"MS-004", "MS-007", "MS-017"} {
		if got := judge(byID[id], transcript, f); got.Status != verdict.Error {
			t.Errorf("%s without a file is %s", id, got.Status)
		}
	}
	transcript, f = recorded(t, usual)
	set("death.none", "timedout", "true")(&transcript)
	if got := judge(byID["PR-003"], transcript, f); got.Status != verdict.Error {
		t.Errorf("PR-003 with a child that was stopped is %s", got.Status)
	}
	transcript, f = recorded(t, usual)
	delete(f.Sysctls, "vm.overcommit_memory")
	if got := judge(byID["MS-012"], transcript, f); got.Status != verdict.Error {
		t.Errorf("MS-012 on a kernel that does not tell how it accounts is %s", got.Status)
	}
	transcript, f = recorded(t, usual)
	set("growth", "below.mapped", "true")(&transcript)
	if got := judge(byID["MS-011"], transcript, f); got.Status != verdict.Error {
		t.Errorf("MS-011 with something mapped below is %s", got.Status)
	}
}

// TestVersionIsACrossCheck fails if a kernel that behaves as another version
// goes unnoticed: that is a back-port, and a deviation has to say so.
func TestVersionIsACrossCheck(t *testing.T) {
	want := map[string]bool{"MS-010": true, "PR-015": true}
	now, linux618 := recorded(t, usual)
	then, linux510 := recorded(t, "amd64-5.10")
	for _, c := range Area().Claims {
		for name, got := range map[string]verdict.Outcome{
			"6.18's behaviour on 5.10": judge(c, now, linux510),
			"5.10's behaviour on 6.18": judge(c, then, linux618),
		} {
			if (got.Status == verdict.Fail) != want[c.ID] {
				t.Errorf("%s, %s: %s: %s", c.ID, name, got.Status, got.Reason)
			}
		}
	}
}

// TestOnlyRISCVMayAddReadToWrite fails if the one architecture that adds a
// permission is refused for it, or another is not.
func TestOnlyRISCVMayAddReadToWrite(t *testing.T) {
	var ms008 claim.Claim
	for _, c := range Area().Claims {
		if c.ID == "MS-008" {
			ms008 = c
		}
	}
	for name, want := range map[string]verdict.Status{"riscv64-7.2": verdict.Pass, "loong64-7.2": verdict.Fail} {
		for perms, want := range map[string]verdict.Status{"-w-p": verdict.Pass, "rw-p": want, "r--p": verdict.Fail, "-wxp": verdict.Fail} {
			transcript, f := recorded(t, name)
			set("prot.2", "perms", perms)(&transcript)
			if got := judge(ms008, transcript, f); got.Status != want {
				t.Errorf("%s shows PROT_WRITE as %s: %s", name, perms, got.Status)
			}
		}
	}
}

// TestNumbersHaveAMeaningEverywhere fails if an architecture is added whose
// MAP_STACK nobody thought about on the others.
func TestNumbersHaveAMeaningEverywhere(t *testing.T) {
	for _, arch := range []string{"alpha", "amd64", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "sw64"} {
		f := facts.Facts{Arch: arch}
		for _, flag := range []uint64{0x20000, 0x40000, 0x80000} {
			switch meaning := meaningOf(expect.Table(f), flag); meaning {
			case "MAP_STACK", "MAP_POPULATE", "MAP_NONBLOCK", "MAP_SYNC", "MAP_HUGETLB":
			default:
				t.Errorf("%s: %#x is %q", arch, flag, meaning)
			}
		}
	}
}

// TestGenericStackPopulatesOnAlpha fails if 0x20000 may be anything but
// MAP_POPULATE where alpha's numbers hold: that mix-up is what the project is
// about. No alpha was booted for it; the answers are put together from amd64's.
func TestGenericStackPopulatesOnAlpha(t *testing.T) {
	transcript, f := recorded(t, usual)
	plain := step(&transcript, "compare.plain").Values["vmflags"]
	for _, change := range []change{
		set("number.0x20000", "resident", "16"), set("number.0x20000", "vmflags", plain),
		succeeds("number.0x40000"),
		set("number.0x80000", "vmflags", step(&transcript, "compare.stack").Values["vmflags"]),
	} {
		change(&transcript)
	}
	step(&transcript, "number.0x40000").Values = map[string]string{"resident": "0", "vmflags": plain}
	f.Arch = "sw64"
	for _, c := range numberClaims() {
		if c.ID != "MS-014" {
			continue
		}
		c.Probe = probe
		if got := judge(c, transcript, f); got.Status != verdict.Pass {
			t.Errorf("%s: %s", got.Status, got.Reason)
		}
		set("number.0x20000", "resident", "0")(&transcript)
		if got := judge(c, transcript, f); got.Status != verdict.Fail {
			t.Errorf("0x20000 does not populate: %s", got.Status)
		}
	}
}
