package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
)

// written makes the current folder one with a matrix file.
func written(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(matrixfile.Name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const threeCells = `cells:
  - cell: arm64-debian12-6.1
  - {name: mine, kernel: ./vmlinuz, arch: amd64, series: "5.10", os: kylin-server-v10-sp1}
  - {name: board, target: "ssh://root@board", arch: loong64}
`

// names returns the names of the cells that a selection chooses.
func names(t *testing.T, s selection) (string, error) {
	t.Helper()
	c, err := s.chosen()
	var all []string
	for _, cell := range c.cells {
		all = append(all, cell.Name)
	}
	if len(c.cells) != len(c.subjects) {
		t.Errorf("%d cells of %d subjects", len(c.cells), len(c.subjects))
	}
	return strings.Join(all, " "), err
}

// TestTheMatrixFileOfTheFolderIsWhatRuns fails if a selection chooses cells that its user did
// not mean.
func TestTheMatrixFileOfTheFolderIsWhatRuns(t *testing.T) {
	written(t, threeCells)
	for _, c := range []struct {
		s    selection
		want string // the names, or a part of the error
	}{
		{selection{}, "arm64-debian12-6.1 mine board"},
		{selection{matrix: matrixfile.Name}, "arm64-debian12-6.1 mine board"},
		{selection{Selection: matrix.Selection{Cell: "mine"}}, "mine"},
		{selection{Selection: matrix.Selection{Cell: "mine,amd64-debian12-6.1"}}, "mine amd64-debian12-6.1"},
		{selection{Selection: matrix.Selection{Arch: "loongarch64,arm64"}}, "arm64-debian12-6.1 board"},
		{selection{Selection: matrix.Selection{Cell: "nonsense"}}, "alpha-6.1"},
		{selection{Selection: matrix.Selection{Kernel: "5.10"}}, "mapstack.yaml:4: cell board does not say its series"},
		{selection{Selection: matrix.Selection{Kernel: "5.10", Cell: "mine"}}, "mine"},
		{selection{Selection: matrix.Selection{Cell: "amd64-debian12-6.1"}, matrix: "none"}, "amd64-debian12-6.1"},
		{selection{matrix: "nowhere.yaml"}, "nowhere.yaml"},
		{selection{os: "kylin-server-v10-sp1"}, "mine"},
		{selection{os: "kylin"}, "mine kylin-desktop-v10-sp1 kylin-desktop-v11 kylin-server-v10-sp2 kylin-server-v10-sp3 kylin-server-v11"},
		{selection{os: "beos"}, "unknown operating system"},
	} {
		c.s.discovers = true
		got, err := names(t, c.s)
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%+v: %s, want %s", c.s, got, c.want)
		}
	}
	if got, err := names(t, selection{}); err != nil || strings.Contains(got, "mine") {
		t.Errorf("a command that takes no matrix file has the cells %s, %v", got, err)
	}
}

// TestAnImageIsSuppliedByAVariable fails if a variable of the environment makes no cell, or if
// one that names nothing is taken for an image.
func TestAnImageIsSuppliedByAVariable(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a.qcow2", "b.qcow2"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for value, want := range map[string]string{
		"a.qcow2":   "uos-server-20 uos-desktop-20",
		"./*.qcow2": "uos-server-20-a uos-server-20-b uos-desktop-20",
		"gone":      "uos-server-20 uos-desktop-20",
		"gone*":     "UOS_SERVER_20_IMAGE:1: osImage: no file is like",
	} {
		t.Setenv("UOS_SERVER_20_IMAGE", value)
		got, err := names(t, selection{os: "uos", discovers: true})
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
}

func TestAMatrixFileOfSomebodyElseIsNotUsedUnasked(t *testing.T) {
	written(t, threeCells)
	if err := os.Chmod(matrixfile.Name, 0o646); err != nil {
		t.Fatal(err)
	}
	if _, err := names(t, selection{discovers: true}); err == nil || !strings.Contains(err.Error(), "others may write to mapstack.yaml") {
		t.Errorf("%v", err)
	}
	if _, err := names(t, selection{discovers: true, matrix: matrixfile.Name}); err != nil {
		t.Error(err)
	}
}

func TestAKnownFailureMustBeAMUST(t *testing.T) {
	written(t, threeCells+"known: [{claim: MS-999, cells: [mine], reason: r, link: \"https://example.org/x\", until: 2027-12-31}]\n")
	if _, err := execute(t, "list"); err == nil || !strings.Contains(err.Error(), "mapstack.yaml: the known failures name MS-999, and there is no such claim") {
		t.Errorf("%v", err)
	}
}

// TestInitWritesOnceAndListReadsIt fails if init overwrites somebody's file, or if what it
// writes is refused.
func TestInitWritesOnceAndListReadsIt(t *testing.T) {
	t.Chdir(t.TempDir())
	if shown, err := execute(t, "init", "--lang", "zh"); err != nil || !strings.Contains(shown, "已写出 mapstack.yaml") {
		t.Fatalf("%v\n%s", err, shown)
	}
	if _, err := execute(t, "init"); err == nil || !strings.Contains(err.Error(), "is left as it is") {
		t.Errorf("%v", err)
	}
	shown, err := execute(t, "list")
	if err != nil || !strings.Contains(shown, "--matrix none takes the built-in matrix") || strings.Contains(shown, "arm64-debian12-6.1") {
		t.Errorf("%v\n%s", err, shown)
	}
	if text, err := os.ReadFile(matrixfile.Name); err != nil || !strings.Contains(string(text), "单元") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestListTellsWhatIsKnownOfASystem(t *testing.T) {
	t.Setenv("KYLIN_SERVER_V10_SP3_IMAGE", "/x")
	shown, err := execute(t, "list", "--os", "kylin")
	for _, want := range []string{"kylin-server-v10-sp3", "KYLIN_SERVER_V10_SP3_IMAGE (set)", "os-release: ID=kylin VERSION_ID=V10", "made of openEuler 20.03 LTS", "note: every service pack"} {
		if err != nil || !strings.Contains(shown, want) {
			t.Errorf("no %q: %v\n%s", want, err, shown)
		}
	}
	if shown, err := execute(t, "list", "--os", "uos-server-20", "--lang", "zh"); err != nil || !strings.Contains(shown, "注意：a、c、e 各版") {
		t.Errorf("%v\n%s", err, shown)
	}
	if shown, err := execute(t, "list"); err != nil || !strings.Contains(shown, "openeuler-24.03") {
		t.Errorf("%v\n%s", err, shown)
	}
}

// TestWhatNobodySuppliedEndsARunWith2 runs nothing, since no image is there. It fails if a
// missing image is an error of the infrastructure, or if nothing says how to supply it.
func TestWhatNobodySuppliedEndsARunWith2(t *testing.T) {
	checkout, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(checkout)
	file, out := filepath.Join(t.TempDir(), "mine.yaml"), t.TempDir()
	text := "cells:\n  - {name: gone, osImage: ./gone.qcow2, os: kylin-server-v10-sp3}\n  - {name: whole, osImage: ./gone.qcow2, fullBoot: true, os: kylin-desktop-v11}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	shown, err := execute(t, "run", "--matrix", file, "--os", "kylin", "--focus", "stage0", "--out", out)
	if code := exitError(0); !errors.As(err, &code) || code != verdict.ExitIncomplete {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		"NOT-RUN  gone", "mine.yaml:2", "--matrix mine.yaml --cell gone", "NOT-RUN  whole", "mine.yaml:3",
		"NOT-RUN  kylin-server-v11", "KYLIN_SERVER_V11_IMAGE=FILE", "- {os: kylin-server-v11, osImage: FILE}", "make conformance OS=kylin-server-v11",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	runs, err := filepath.Glob(filepath.Join(out, "[0-9]*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v", runs, err)
	}
	_, err = execute(t, "verdict", runs[0])
	if code := exitError(0); !errors.As(err, &code) || code != verdict.ExitIncomplete {
		t.Errorf("the verdict on the evidence: %v", err)
	}
}

func TestAMatrixFileAndAGivenKernelExcludeEachOther(t *testing.T) {
	written(t, threeCells)
	for line, want := range map[string]string{
		"--matrix mapstack.yaml --kernel ./x":    "leave out --matrix",
		"--matrix mapstack.yaml --os-image x":    "matrix os-image",
		"--matrix mapstack.yaml --target native": "matrix target",
		"--defect stack-eperm":                   "cell board is tested as it runs",
		"--kernel-arg quiet":                     "cell board is tested as it runs",
		"--os kylin --cell mine":                 "leave out --cell",
	} {
		_, err := execute(t, append([]string{"run", "--out", t.TempDir()}, strings.Fields(line)...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run %s: %v, want %q", line, err, want)
		}
	}
}
