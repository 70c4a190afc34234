package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestListsHavePatternsAndCanBeGivenAgain fails if a second --cell replaces the first, or if a
// pattern or --skip selects otherwise than the selection says.
func TestListsHavePatternsAndCanBeGivenAgain(t *testing.T) {
	for line, want := range map[string]string{
		"--cell amd64-debian12-6.1 --cell arm64-debian12-6.1": "amd64-debian12-6.1 arm64-debian12-6.1",
		"--cell s390x-debian1[23]-*":                          "s390x-debian12-6.1 s390x-debian13-6.12",
		"--arch s390x --skip *-newest,s390x-debian12*":        "s390x-debian13-6.12",
	} {
		shown, err := execute(t, append([]string{"list", "cells", "-o", "json"}, strings.Fields(line)...)...)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var l listing
		if err := json.Unmarshal([]byte(shown), &l); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range l.Cells {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// TestSkipIsAboutCellsOrClaims fails if a word of --skip is taken for the wrong kind, or ignored.
func TestSkipIsAboutCellsOrClaims(t *testing.T) {
	focus, cells, err := leaveOut("mapstack", "amd64-*,MS-003, lean")
	if err != nil || focus != "mapstack,!MS-003" || cells != "amd64-*,lean" {
		t.Errorf("%q, %q, %v", focus, cells, err)
	}
	if focus, cells, err := leaveOut("MS-001 clone", "lean"); err != nil || focus != "MS-001 clone" || cells != "lean" {
		t.Errorf("%q, %q, %v", focus, cells, err)
	}
	for line, want := range map[string]string{
		"run --skip nonsense":                    "nonsense",
		"run --skip *":                           "leaves out every claim",
		"run --target native --skip nonsense":    "is no claim and no suite",
		"run --os kylin --skip nonsense":         "none of the chosen cells",
		"kill-table --skip nonsense":             "nonsense",
		"bundle --skip nonsense --cell s390x-*":  "", // a program of the go command cannot be bundled
		"fetch --update-lock --skip s390x-*":     "update-lock",
		"run --rerun-failed out/x --skip s390x*": "rerun-failed",
	} {
		if _, err := execute(t, strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// TestNamesAreCheckedBeforeAnythingIsMade fails if a mistyped name is found out after programs
// were compiled, which takes minutes: here there are no sources and no go command.
func TestNamesAreCheckedBeforeAnythingIsMade(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "")
	for line, want := range map[string]string{
		"probe amd64-debian12-6.1 nope":                "unknown probe",
		"run --focus nope":                             "neither a suite nor a claim",
		"run --focus nope --os-image /nowhere":         "neither a suite nor a claim",
		"run --defect nope":                            "unknown defect",
		"run --os-image /nowhere":                      "--os-image /nowhere",
		"run --kernel /nowhere":                        "--kernel /nowhere",
		"run --full-boot --os-image /nowhere":          "--os-image /nowhere",
		"run --guest-agent /nowhere":                   "--guest-agent /nowhere",
		"run --kernel ./repo --keyring /nowhere":       "./repo",
		"run --full-boot --os-image . --firmware /no":  "--os-image . is a folder",
		"run --os-image /nowhere --dry-run":            "--os-image /nowhere",
		"probe --target native facts --nope":           "checkout", // an argument of the probe
		"run --cell amd64-debian12-6.1":                "checkout",
		"run --kernel https://server.invalid/a --arch": "needs an argument",
	} {
		_, err := execute(t, strings.Fields(line)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// TestTheVersionIsSaidInEveryForm fails if --version, version and its JSON disagree.
func TestTheVersionIsSaidInEveryForm(t *testing.T) {
	short, err := execute(t, "--version")
	if err != nil || !strings.HasPrefix(short, "mapstack "+version+" (revision ") {
		t.Errorf("%q, %v", short, err)
	}
	if long, err := execute(t, "version"); err != nil || long != short {
		t.Errorf("%q and %q, %v", long, short, err)
	}
	text, err := execute(t, "version", "-o", "json")
	var v versions
	if err != nil || json.Unmarshal([]byte(text), &v) != nil || v != thisVersion() || v.Schema != outputSchema {
		t.Errorf("%s, %v", text, err)
	}
}
