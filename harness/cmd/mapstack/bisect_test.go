package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/run/bisect"
	"github.com/mapstack/conformance/harness/run/subject"
)

// TestAFolderIsSortedByVersions fails if 6.12 comes before 6.9, or a backport after what it was
// made of.
func TestAFolderIsSortedByVersions(t *testing.T) {
	dir := t.TempDir()
	want := []string{"vmlinuz-5.10.0-9", "vmlinuz-6.1.0-50", "vmlinuz-6.9.7", "vmlinuz-6.12.9-1~bpo12+1", "vmlinuz-6.12.9-1", "vmlinuz-6.12.10"}
	for _, name := range want {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "config"), 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := (&bisectFlags{}).files([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, filepath.Base(f.File))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	part, err := between(files, "vmlinuz-6.12.9-1", filepath.Join(dir, "vmlinuz-6.1.0-50"))
	if err != nil || len(part) != 4 || filepath.Base(part[0].File) != "vmlinuz-6.12.9-1" {
		t.Errorf("%v, %v: the good kernel comes first", part, err)
	}
}

// TestTheEndsOfPackagesAreNamedInWords fails if a series does not stand for all of its kernels, or
// if a word that names nothing does not say what does.
func TestTheEndsOfPackagesAreNamedInWords(t *testing.T) {
	var all []candidate
	for _, r := range []string{"5.10.0-35", "6.1.0-49", "6.1.0-50", "6.12.9", "6.12.10", "6.16.1"} {
		p := subject.Package{Release: r}
		all = append(all, candidate{Kernel: bisect.Kernel{File: "linux-image-" + r + "_1_amd64.deb"}, names: []string{r, "v" + r}, series: p.Series()})
	}
	for _, tc := range []struct{ good, bad, first, last, fails string }{
		{"6.1", "6.12", "6.1.0-49", "6.12.10", ""},
		{"6.12", "6.1", "6.12.10", "6.1.0-49", ""},
		{"6.1.0-50", "v6.12.9", "6.1.0-50", "6.12.9", ""},
		{"5.10", "linux-image-6.16.1_1_amd64.deb", "5.10.0-35", "6.16.1", ""},
		{"6.1", "6.1", "", "", "are both 6.1"},
		{"6.1", "6.6", "", "", "--bad 6.6 is none of the 6 kernels of the list; give a series such as 5.10, or one of 5.10.0-35, 6.1.0-49,"},
	} {
		part, err := between(all, tc.good, tc.bad)
		if tc.fails != "" {
			if err == nil || !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("%s to %s: %v", tc.good, tc.bad, err)
			}
			continue
		}
		if err != nil || part[0].names[0] != tc.first || part[len(part)-1].names[0] != tc.last {
			t.Errorf("%s to %s: %v, %v", tc.good, tc.bad, part, err)
		}
	}
}

func TestASearchThatCannotBeginSaysWhy(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a1", "a2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	foreignLog := filepath.Join(dir, "log")
	if err := os.WriteFile(foreignLog, []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"--bad a2 --focus MS-010 " + dir:                                        `"good" not set`,
		"--good a1 --bad a2 --focus mapstack " + dir:                            "no single claim",
		"--good a1 --bad a2 --focus XX-001 " + dir:                              "neither a suite nor a claim",
		"--good a1 --bad a3 --focus MS-010 " + dir:                              "--bad a3 is none of the 3 kernels",
		"--good a1 --bad a1 --focus MS-010 " + dir:                              "are both",
		"--good a1 --bad a2 --focus MS-010 /nowhere":                            "find the kernels: ",
		"--good a1 --bad a2 --focus MS-010 nonsense":                            "nonsense is no file, no cell and no architecture: unknown cell",
		"--good a1 --bad a2 --focus MS-010 amd64-debian12*":                     "names 2 cells; name one",
		"--good a1 --bad a2 --focus MS-010 alpha":                               "the archive has no kernels of alpha",
		"--good a1 --bad a2 --focus MS-010 --arch arm64 " + dir:                 "are about a yum repository",
		"--good a1 --bad a2 --focus MS-010 --log " + foreignLog + " " + dir:     "no line of a bisect log",
		"--good " + dir + " --bad a2 --focus MS-010 " + dir + " " + dir + "/a2": "a search takes files alone",
	} {
		_, err := execute(t, append([]string{"bisect", "--out", t.TempDir()}, strings.Fields(line)...)...)
		if err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != verdict.ExitInfrastructure {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

func TestASearchShowsWhatChangedInBothLanguages(t *testing.T) {
	claim := report.Claim{ID: "MS-010", Level: verdict.Should, English: "It is.", Chinese: "是。"}
	good := bisect.Test{File: "old", Release: "6.1", Status: verdict.Pass, Expected: "false", Observed: "false"}
	bad := bisect.Test{File: "new", Release: "6.12", Status: verdict.Pass, Expected: "true", Observed: "true"}
	for l, want := range map[language.Language]string{
		language.English: "MS-010 changes at new (6.12), the kernel after old (6.1).\n  - pass: expected false, observed false\n  + pass: expected true, observed true\n",
		language.Chinese: "MS-010 在 new（6.12）改变，其前一个内核是 old（6.1）。\n",
	} {
		var b strings.Builder
		v := bisectView{&b, l}
		v.begin(claim, []bisect.Kernel{{File: "old"}, {File: "new"}})
		if err := v.test(good, bisect.Good, false); err != nil {
			t.Fatal(err)
		}
		v.end(claim, bisect.Found{Good: good, Bad: bad}, "log")
		if !strings.Contains(b.String(), want) || strings.Contains(b.String(), "%!") {
			t.Errorf("no %q in\n%s", want, b.String())
		}
		b.Reset()
		v.end(claim, bisect.Found{Good: good, Bad: bad, Skipped: make([]bisect.Kernel, 2)}, "log")
		if !strings.Contains(b.String(), l.Pick("decide nothing: 2.", "2 个。")) {
			t.Errorf("skipped kernels are not told:\n%s", b.String())
		}
	}
}

// TestGitBisectIsToldNothingFalse fails if a run that decided nothing, or a mistyped option,
// makes git call a kernel bad.
func TestGitBisectIsToldNothingFalse(t *testing.T) {
	for code, want := range map[int]int{0: 0, 1: 1, 2: 125, 69: 125} {
		for _, args := range [][]string{{"mapstack", "run", "--exit", "bisect"}, {"mapstack", "run", "--exit=bisect", "--nonsense"}} {
			if got := forBisect(args, code); got != want {
				t.Errorf("%v: %d for %d, want %d", args, got, code, want)
			}
		}
		if got := forBisect([]string{"mapstack", "run", "--exit", "verdict"}, code); got != code {
			t.Errorf("%d became %d", code, got)
		}
	}
	if _, err := execute(t, "run", "--exit", "nonsense"); err == nil || !strings.Contains(err.Error(), "give verdict or bisect") {
		t.Error(err)
	}
}
