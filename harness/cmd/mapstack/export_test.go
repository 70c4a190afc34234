package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/export"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// TestEveryFormatIsWrittenOfARun exports a run on a kernel that somebody gave, which does not
// fail.
func TestEveryFormatIsWrittenOfARun(t *testing.T) {
	run, cells := given(t)
	folder := finishedRun(t, run, cells)
	for _, format := range export.Names() {
		out := filepath.Join(t.TempDir(), "new", "folder")
		said, err := execute(t, "export", folder, "--format", format, "--out", out)
		if err != nil {
			t.Errorf("%s: %v\n%s", format, err, said)
			continue
		}
		files, err := os.ReadDir(out)
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", format, len(files), err)
		}
		for _, f := range files {
			if !strings.Contains(said, filepath.Join(out, f.Name())+"\n") {
				t.Errorf("%s does not say that it wrote %s:\n%s", format, f.Name(), said)
			}
		}
		if len(files) != 1 {
			continue
		}
		shown, err := execute(t, "export", folder, "--format", format)
		if b, e := os.ReadFile(filepath.Join(out, files[0].Name())); err != nil || e != nil || !strings.HasSuffix(shown, string(b)) || !strings.Contains(shown, "transcripts are what the console logs hold") {
			t.Errorf("%s: the standard output and the file differ: %v, %v", format, err, e)
		}
	}
	// What was written is no part of the evidence.
	if said, err := execute(t, "verdict", folder); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestNoVendorIsGivenTheKernelOfAnother fails if an evaluation could name a product for what the
// kernels of the built-in matrix did.
func TestNoVendorIsGivenTheKernelOfAnother(t *testing.T) {
	vendor := writeFile(t, "vendor.yaml", vendorText)
	recorded := filepath.Join("..", "..", "..", "fixtures", "recorded")
	if _, err := execute(t, "export", recorded, "--format", "osv", "--vendor", vendor, "--out", t.TempDir()); err == nil || !strings.Contains(err.Error(), "its kernel is none of Example Linux Server") {
		t.Error(err)
	}
	if _, err := execute(t, "export", recorded, "--format", "osv", "--out", t.TempDir()); err != nil {
		t.Errorf("without a product: %v", err)
	}
	run, cells := given(t)
	if _, err := execute(t, "export", finishedRun(t, run, cells), "--format", "osv", "--vendor", vendor, "--out", t.TempDir()); err != nil {
		t.Errorf("of a kernel that was given: %v", err)
	}
}

// TestWhatEvidenceDoesNotGiveIsNotExported fails if a report could be made of a folder that was
// changed, or change one.
func TestWhatEvidenceDoesNotGiveIsNotExported(t *testing.T) {
	run, cells := given(t)
	folder := finishedRun(t, run, cells)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{folder, filepath.Join(folder, "cells", "new"), filepath.Join(link, "new", "folder")} {
		_, err := execute(t, "export", folder, "--format", "markdown", "--out", out)
		if err == nil || !strings.Contains(err.Error(), "would change the evidence") {
			t.Errorf("%s: %v", out, err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "new")); err == nil {
		t.Error("a folder was made in the evidence")
	}
	path := filepath.Join(folder, reportFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), `"status": "pass"`, `"status": "fail"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"is not what its evidence gives": {"export", folder, "--format", "markdown"},
		"/nowhere":                       {"export", "/nowhere", "--format", "markdown"},
		"there is no format":             {"export", filepath.Join("..", "..", "..", "fixtures", "recorded"), "--format", "pdf"},
		"about the format kcidb":         {"export", folder, "--format", "ktap", "--origin", "lab"},
		"required flag":                  {"export", folder},
	} {
		_, err := execute(t, args...)
		if err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != verdict.ExitInfrastructure {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
