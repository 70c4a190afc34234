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
	"github.com/mapstack/conformance/harness/release"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// recorded is what the probe said on an amd64 host with Linux 6.18, as root.
func recorded(t *testing.T) wire.Transcript {
	t.Helper()
	b, err := os.ReadFile("testdata/amd64-6.18.json")
	if err != nil {
		t.Fatal(err)
	}
	var transcript wire.Transcript
	if err := json.Unmarshal(b, &transcript); err != nil {
		t.Fatal(err)
	}
	return transcript
}

func linux(major, minor, patch int) facts.Facts {
	r := release.Release{Major: major, Minor: minor, Patch: patch}
	return facts.Facts{
		Arch: "amd64", Release: r, UnameRelease: r.String(), PageSize: 4096, THP: true,
		Sysctls: map[string]string{"vm.overcommit_memory": "0"},
	}
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

func TestRecordedKernelConforms(t *testing.T) {
	for _, c := range Area().Claims {
		if got := judge(c, recorded(t), linux(6, 18, 44)); got.Status != verdict.Pass {
			t.Errorf("%s is %s: %s", c.ID, got.Status, got.Reason)
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
			transcript := recorded(t)
			changes[c.ID][name](&transcript)
			if got := judge(c, transcript, linux(6, 18, 44)); got.Status != verdict.Fail || got.Reason == "" {
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
	for _, c := range Area().Claims {
		if got := judge(c, wire.Transcript{Probe: probe}, linux(6, 18, 44)); got.Status != verdict.Error {
			t.Errorf("%s on an empty transcript is %s", c.ID, got.Status)
		}
	}
}

// TestWhatCouldNotBeToldIsNoVerdict fails if the claims about smaps blame a
// kernel that has no VmFlags, or a child that never ran.
func TestWhatCouldNotBeToldIsNoVerdict(t *testing.T) {
	transcript := recorded(t)
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
	for _, id := range []string{"MS-005", "MS-006", "MS-010", "MS-011", "MS-014", "MS-015", "PR-002", "PR-009", "PR-010"} {
		if got := judge(byID[id], transcript, linux(6, 18, 44)); got.Status != verdict.Error {
			t.Errorf("%s without VmFlags is %s", id, got.Status)
		}
	}
	for name, change := range map[string]change{
		"the child kept a capability": set("unprivileged.who", "capeff", "0000000000000001"),
		"the child stayed root":       set("unprivileged.who", "uid", "0"),
		"the child timed out":         set("unprivileged", "timedout", "true"),
	} {
		transcript := recorded(t)
		change(&transcript)
		if got := judge(byID["MS-003"], transcript, linux(6, 18, 44)); got.Status != verdict.Error {
			t.Errorf("MS-003, %s: %s", name, got.Status)
		}
	}
	transcript = recorded(t)
	set("growth", "below.mapped", "true")(&transcript)
	if got := judge(byID["MS-011"], transcript, linux(6, 18, 44)); got.Status != verdict.Error {
		t.Errorf("MS-011 with something mapped below is %s", got.Status)
	}
}

// older turns the recording into what Linux 6.1 says: no nh but by advice, so
// that neighbours merge; no guard regions, no MDWE.
func older(t *testing.T) wire.Transcript {
	transcript := recorded(t)
	for i := range transcript.Observations {
		o := &transcript.Observations[i]
		if o.Step == "thp.nohugepage" {
			continue
		}
		for key := range o.Values {
			if strings.HasSuffix(key, "vmflags") {
				flag(o.Step, key, "-nh")(&transcript)
			}
		}
	}
	set("merge.stack", "left.end", step(&transcript, "merge.stack").Values["right.end"])(&transcript)
	fails("guard.install", 22, "EINVAL")(&transcript)
	fails("mdwe.get", 22, "EINVAL")(&transcript)
	return transcript
}

func TestOlderKernelConforms(t *testing.T) {
	for _, c := range Area().Claims {
		if got := judge(c, older(t), linux(6, 1, 0)); got.Status != verdict.Pass {
			t.Errorf("%s is %s: %s", c.ID, got.Status, got.Reason)
		}
	}
}

// TestVersionIsACrossCheck fails if a kernel that behaves as another version
// goes unnoticed: that is a back-port, and a deviation has to say so.
func TestVersionIsACrossCheck(t *testing.T) {
	want := map[string]bool{"MS-010": true, "PR-013": true, "PR-014": true}
	for _, c := range Area().Claims {
		for name, got := range map[string]verdict.Outcome{
			"6.18's behaviour on 6.1": judge(c, recorded(t), linux(6, 1, 0)),
			"6.1's behaviour on 6.18": judge(c, older(t), linux(6, 18, 44)),
		} {
			if (got.Status == verdict.Fail) != want[c.ID] {
				t.Errorf("%s, %s: %s: %s", c.ID, name, got.Status, got.Reason)
			}
		}
	}
}

// TestRISCVShowsWriteAsReadAndWrite fails if the one architecture that adds a
// permission is judged by the others' rule, or before it did so.
func TestRISCVShowsWriteAsReadAndWrite(t *testing.T) {
	f := linux(7, 2, 12)
	f.Arch = "riscv64"
	if got := permissions(f, 2); got != "rw-p" {
		t.Errorf("riscv64 7.2: %s", got)
	}
	f.Release = release.Release{Major: 6, Minor: 12}
	if got := permissions(f, 2); got != "-w-p" {
		t.Errorf("riscv64 6.12: %s", got)
	}
	if got := permissions(linux(7, 2, 12), 6); got != "-wxp" {
		t.Errorf("amd64 7.2: %s", got)
	}
}

// TestNumbersHaveAMeaningEverywhere fails if an architecture is added whose
// MAP_STACK nobody thought about on the others.
func TestNumbersHaveAMeaningEverywhere(t *testing.T) {
	for _, arch := range []string{"alpha", "amd64", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "sw64"} {
		f := linux(6, 18, 0)
		f.Arch = arch
		for _, flag := range []uint64{0x20000, 0x40000, 0x80000} {
			switch meaning := meaningOf(table(f), flag); meaning {
			case "MAP_STACK", "MAP_POPULATE", "MAP_NONBLOCK", "MAP_SYNC", "MAP_HUGETLB":
			default:
				t.Errorf("%s: %#x is %q", arch, flag, meaning)
			}
		}
	}
}
