package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// refused returns a run whose mapstack probe was refused every call, with the claims that fail.
func refused(t *testing.T) (run evidence.Run, cells []evidence.CellRun, fails []verdict.Outcome) {
	t.Helper()
	run, cells = given(t)
	cells[0].Transcripts["mapstack"] = failing(t, cells[0].Transcripts["mapstack"])
	r, err := judge(run, cells)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Outcomes {
		if o.Status == verdict.Fail {
			fails = append(fails, o)
		}
	}
	if len(fails) == 0 {
		t.Fatal("no claim fails")
	}
	run.Matrix = &evidence.Matrix{File: "mapstack.yaml", Cells: []string{cells[0].Cell.Name}}
	return run, cells, fails
}

// TestACertificateKnowsTheDeviationsOfTheMatrixFile fails if certify and verify do not find what the
// matrix file of the run accepted, or accept what no file of the run did.
func TestACertificateKnowsTheDeviationsOfTheMatrixFile(t *testing.T) {
	run, cells, fails := refused(t)
	for _, o := range fails {
		run.Matrix.Deviations = append(run.Matrix.Deviations, matrix.Deviation{Claim: o.Claim, Cells: []string{"given-*"}, Reason: "back-ported", Source: "https://example.org/changes", Until: time.Now().AddDate(1, 0, 0).Format(time.DateOnly)})
	}
	folder := finishedRun(t, run, cells)
	vendor, key := writeFile(t, "vendor.yaml", vendorText), writeFile(t, "key.pem", ed25519Key)
	said, err := execute(t, "certify", folder, "--vendor", vendor, "--key", key)
	if err != nil || strings.Count(said, "back-ported (https://example.org/changes)") != len(fails) {
		t.Fatalf("%v, %d deviations:\n%s", err, len(fails), said)
	}
	if said, err = execute(t, "verify", filepath.Join(folder, certificateFile), folder, "--key", writeFile(t, "key.pub", ed25519Public)); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	run.Matrix.Deviations[0].Source = "a mail"
	run.Matrix.Deviations = append(run.Matrix.Deviations, matrix.Deviation{Claim: "AB-001", Cells: []string{"given-*"}, Reason: "none", Source: "https://example.org/changes"})
	for _, o := range outcomesOf(t, run, cells) {
		if o.Status == verdict.Pass && o.Expectations > 0 { // else it is the floor of a suite, and no claim
			run.Matrix.Deviations[len(fails)].Claim = o.Claim
			break
		}
	}
	said, err = execute(t, "certify", finishedRun(t, run, cells), "--vendor", vendor)
	if exitCode(err) != verdict.ExitNonConformant || !strings.Contains(said, "has no link") || !strings.Contains(said, "the claim holds here, but mapstack.yaml says it does not") {
		t.Errorf("%v\n%s", err, said)
	}
}

func outcomesOf(t *testing.T, run evidence.Run, cells []evidence.CellRun) []verdict.Outcome {
	t.Helper()
	r, err := judge(run, cells)
	if err != nil {
		t.Fatal(err)
	}
	return r.Outcomes
}

// TestKnownFailuresOfTheMatrixFileEndARunAndCertifyNothing fails if evidence loses the known failures
// of the run's matrix file, or if a certificate rests on them.
func TestKnownFailuresOfTheMatrixFileEndARunAndCertifyNothing(t *testing.T) {
	run, cells, fails := refused(t)
	for _, o := range fails {
		if o.Level == verdict.Must {
			run.Matrix.Known = append(run.Matrix.Known, matrix.KnownFailure{Claim: o.Claim, Cells: []string{"given-*"}, Reason: "it is broken", Link: "https://example.org/issue/1", Until: time.Now().AddDate(1, 0, 0).Format(time.DateOnly)})
		}
	}
	folder := finishedRun(t, run, cells)
	if said, err := execute(t, "verdict", folder); err != nil || !strings.Contains(said, "it is broken") {
		t.Errorf("%v\n%s", err, said)
	}
	said, err := execute(t, "certify", folder, "--vendor", writeFile(t, "vendor.yaml", vendorText))
	if exitCode(err) != verdict.ExitNonConformant || !strings.Contains(said, "a MUST, on cell given-kernel-amd64, does not hold: ") {
		t.Errorf("%v\n%s", err, said)
	}
	if _, err := os.Stat(filepath.Join(folder, certificateFile)); err == nil {
		t.Error("there is a certificate")
	}
}
