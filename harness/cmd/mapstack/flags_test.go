package main

import (
	"os"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/progress"
)

// TestAKernelIsASeriesOrAPath fails if the meaning of --kernel depends on the files in the
// current folder.
func TestAKernelIsASeriesOrAPath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("2.4", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for value, file := range map[string]string{"6.1": "", "newest": "", "": "", "2.4": "", "./2.4": "./2.4", "/boot/vmlinuz": "/boot/vmlinuz"} {
		var f runFlags
		f.Kernel = value
		if got := f.file(); got != file {
			t.Errorf("%q: file %q, want %q", value, got, file)
		}
	}
	_, err := execute(t, "run", "--kernel", "2.4")
	if err == nil || !strings.Contains(err.Error(), "there is a file 2.4 here: --kernel ./2.4 takes it") {
		t.Errorf("the file of that name is not mentioned: %v", err)
	}
}

func TestAParameterIsOneWord(t *testing.T) {
	for _, bad := range []string{"", "a b", "a\"b"} {
		f := runFlags{kernelArgs: []string{bad}}
		if _, err := f.options(progress.Discard); err == nil {
			t.Errorf("--kernel-arg %q is accepted", bad)
		}
	}
	f := runFlags{kernelArgs: []string{"lsm=apparmor"}}
	o, err := f.options(progress.Discard)
	if err != nil || len(o.Params) != 1 || o.Params[0].Value != "lsm=apparmor" {
		t.Errorf("%+v, %v", o.Params, err)
	}
}

// TestFlagsThatExcludeEachOtherSaySo fails if one of two contradicting flags is ignored
// silently, or if the error for a missing flag names another one.
func TestFlagsThatExcludeEachOtherSaySo(t *testing.T) {
	for line, want := range map[string]string{
		"--full-boot":                                   "--os-image must name the image",
		"--full-boot --os-image a --kernel ./b":         "full-boot kernel",
		"--full-boot --os-image a --defect stack-eperm": "full-boot defect",
		"--target native --cell amd64-debian12-6.1":     "target cell",
		"--target native --os-image a":                  "target os-image",
		"--cell amd64-debian12-6.1 --os-image a":        "cell os-image",
		"--cell amd64-debian12-6.1 --kernel ./a":        "leave out --cell",
		"--kernel 6.1 --os-image a":                     "leave out one of them",
		"--supply NOTHING=1 --cell amd64-debian12-6.1":  "SW64_KERNEL",
		"--target user":                                 "needs --arch",
		"--kernel /nowhere/vmlinuz":                     "/nowhere/vmlinuz",
	} {
		_, err := execute(t, append([]string{"run", "--out", t.TempDir()}, strings.Fields(line)...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run %s: %v, want %q", line, err, want)
		}
		if code := exitCode(err); code != verdict.ExitInfrastructure {
			t.Errorf("run %s: exit status %d", line, code)
		}
	}
}
