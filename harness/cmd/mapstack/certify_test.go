package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

const vendorText = `organisation: Example Linux Ltd
product: Example Linux Server
version: "22.03"
contact: [kernel@example.org]
links: {website: https://example.org}
`

// given returns the recorded evidence of a kernel that was given, as if it had run today.
func given(t *testing.T) (evidence.Run, []evidence.CellRun) {
	t.Helper()
	run, cells, err := evidence.Load(filepath.Join("..", "..", "..", "fixtures", "lab", "4.19.90"))
	if err != nil {
		t.Fatal(err)
	}
	run.Started = time.Now()
	return run, cells
}

// finishedRun writes the folder of a run as mapstack run does. The recordings have no console
// logs, so they are made of the transcripts.
func finishedRun(t *testing.T, run evidence.Run, cells []evidence.CellRun) string {
	t.Helper()
	folder, err := evidence.Create(t.TempDir(), run.Started)
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if err := folder.WriteCell(c); err != nil {
			t.Fatal(err)
		}
		for _, probe := range slices.Sorted(maps.Keys(c.Transcripts)) {
			name := probe
			if c.Runs[probe].Guest == evidence.Saved {
				name = evidence.BootConsole
			}
			if probe != stage0.Probe {
				writeLog(t, folder, c.Cell.Name, name, c.Transcripts[probe])
			}
		}
	}
	r, err := judge(run, cells)
	if err != nil {
		t.Fatal(err)
	}
	if r.Header.Evidence, err = digest(folder.Path()); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(folder.Path(), reportFile)) // JUnit takes longer than all else
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.WriteJSON(file), file.Close()); err != nil {
		t.Fatal(err)
	}
	return folder.Path()
}

// writeLog writes the console log of a guest that ran one probe.
func writeLog(t *testing.T, folder evidence.Folder, cell, name string, tr wire.Transcript) {
	t.Helper()
	log, err := folder.Console(cell, name)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	seq := uint32(0)
	say := func(payload []byte) error {
		line, err := wire.Encode(wire.GuestPrefix, wire.Frame{Seq: seq, Payload: payload})
		if err != nil {
			return err
		}
		seq++
		_, err = log.Write(line)
		return err
	}
	record := func(r wire.Record) error {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return say(b)
	}
	err = record(wire.Record{Kind: wire.KindHello, Hello: &wire.Hello{Protocol: wire.Protocol}})
	d := wire.NewDeflater(1, say)
	for _, o := range tr.Observations {
		line, wrong := json.Marshal(o)
		_, lost := d.Write(append(line, '\n'))
		err = errors.Join(err, wrong, lost)
	}
	if err := errors.Join(err, d.Flush(), record(wire.Record{Kind: wire.KindDone, Run: 1, Exit: &tr.Exit})); err != nil {
		t.Fatal(err)
	}
}

// writeFile writes a file for a test and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// opensshKey makes a key of ssh, and returns the paths of both halves.
func opensshKey(t *testing.T) (private, public string) {
	t.Helper()
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen makes the key, and this machine has none")
	}
	path := filepath.Join(t.TempDir(), "id")
	if out, err := exec.CommandContext(t.Context(), keygen, "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path, path + ".pub"
}

// The keys of RFC 8410, 10.3 and 10.1.
const (
	ed25519Key    = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
	ed25519Public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
)

// certified makes a run with a certificate, and returns the folder and the public key.
func certified(t *testing.T) (folder, public string) {
	t.Helper()
	run, cells := given(t)
	folder = finishedRun(t, run, cells)
	said, err := execute(t, "certify", folder, "--vendor", writeFile(t, "vendor.yaml", vendorText), "--key", writeFile(t, "key.pem", ed25519Key))
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return folder, writeFile(t, "key.pub", ed25519Public)
}

func mustWrite(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustRemove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestWhatGetsNoCertificate changes a run that would get one, and asks for every reason.
func TestWhatGetsNoCertificate(t *testing.T) {
	probe := func(c *evidence.CellRun, name string) { delete(c.Transcripts, name); delete(c.Runs, name) }
	for name, c := range map[string]struct {
		change func(*evidence.Run, *evidence.CellRun)
		exit   int
		want   []string
	}{
		"a MUST that does not hold": {func(_ *evidence.Run, c *evidence.CellRun) {
			c.Transcripts["mapstack"] = failing(t, c.Transcripts["mapstack"])
		}, 1,
			[]string{"a MUST, on cell given-kernel-amd64, does not hold: "}},
		"a probe that did not run": {func(_ *evidence.Run, c *evidence.CellRun) { probe(c, "mapstack") }, 2,
			[]string{"MS-001, a MUST, on cell given-kernel-amd64, was not decided: probe mapstack has no transcript", "MS-003, a MUST"}},
		"a probe that did not run, and a focus": {func(r *evidence.Run, c *evidence.CellRun) { r.Focus = "mapstack"; probe(c, "mapstack") }, 1,
			[]string{"the run was narrowed to mapstack; run it without --focus", "MS-001, a MUST"}},
		"a defect": {func(r *evidence.Run, _ *evidence.CellRun) { r.Defect = "stack-read-only" }, 1, []string{"the defect stack-read-only was injected"}},
		"a kernel parameter": {func(_ *evidence.Run, c *evidence.CellRun) {
			c.QEMU.Params = append(c.QEMU.Params, arch.Param{Value: "quiet", Reason: arch.Asked})
		}, 1, []string{"the kernel was given the parameter quiet"}},
		"a cell of the matrix": {func(r *evidence.Run, c *evidence.CellRun) {
			c.Cell.Kernel = matrix.Kernel{Suite: "bookworm"}
			r.Cells[0] = c.Cell
		}, 1,
			[]string{"it is a cell of the built-in matrix"}},
	} {
		t.Run(name, func(t *testing.T) {
			run, cells := given(t)
			c.change(&run, &cells[0])
			folder := finishedRun(t, run, cells)
			said, err := execute(t, "certify", folder, "--vendor", writeFile(t, "vendor.yaml", vendorText))
			if exitCode(err) != c.exit || !strings.HasPrefix(said, "No certificate of "+folder+":\n") {
				t.Errorf("%v, want exit status %d:\n%s", err, c.exit, said)
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("no %q in\n%s", want, said)
				}
			}
			if _, err := os.Stat(filepath.Join(folder, certificateFile)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is a certificate: %v", err)
			}
		})
	}
}

// failing returns a transcript in which every mmap with MAP_STACK was refused.
func failing(t *testing.T, tr wire.Transcript) wire.Transcript {
	t.Helper()
	tr.Observations = slices.Clone(tr.Observations)
	for i := range tr.Observations {
		tr.Observations[i].Errno = 12
	}
	return tr
}

func TestARunWhoseFolderWasChangedGetsNoCertificate(t *testing.T) {
	run, cells := given(t)
	vendor := writeFile(t, "vendor.yaml", vendorText)
	for name, c := range map[string]struct {
		change func(string)
		exit   int
		want   string
	}{
		"no report": {func(f string) { mustRemove(t, filepath.Join(f, reportFile)) }, 2, "there is no report.json, so the run did not end"},
		"no log":    {func(f string) { mustRemove(t, filepath.Join(f, "cells/given-kernel-amd64/console/mapstack.log")) }, 1, "1 transcripts have no console log that shows them, the first is given-kernel-amd64/mapstack"},
		"another log": {func(f string) { mustWrite(t, filepath.Join(f, "cells/given-kernel-amd64/console/mapstack.log")) }, 1,
			"the transcript of probe mapstack on cell given-kernel-amd64 is not what its console log"},
		"a note": {func(f string) { mustWrite(t, filepath.Join(f, "note")) }, 1, "was made of other evidence"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := finishedRun(t, run, cells)
			c.change(folder)
			said, err := execute(t, "certify", folder, "--vendor", vendor)
			if exitCode(err) != c.exit || !strings.Contains(said, c.want) {
				t.Errorf("%v, want %q:\n%s", err, c.want, said)
			}
		})
	}
}

// TestAnotherFileIsRefusedBeforeItBoots fails if --rerun boots what cannot repeat the run.
func TestAnotherFileIsRefusedBeforeItBoots(t *testing.T) {
	run, cells := given(t)
	folder := finishedRun(t, run, cells)
	if said, err := execute(t, "certify", folder, "--vendor", writeFile(t, "vendor.yaml", vendorText)); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	out := filepath.Join(t.TempDir(), "out")
	said, err := execute(t, "verify", filepath.Join(folder, certificateFile), folder, "--rerun", "--kernel", writeFile(t, "other.rpm", "another"), "--out", out)
	if exitCode(err) != verdict.ExitNonConformant || !strings.Contains(said, "and other.rpm has ") || !strings.Contains(said, "give the same file") {
		t.Errorf("%v\n%s", err, said)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something ran: %v", err)
	}
}

func TestBadInputOfACertificateIsNamed(t *testing.T) {
	run, cells := given(t)
	folder := finishedRun(t, run, cells)
	vendor := writeFile(t, "vendor.yaml", vendorText)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"certify", folder}, `"vendor" not set`},
		{[]string{"certify", "--check", folder, "--vendor", vendor}, "leave out the folder"},
		{[]string{"certify", "--vendor", vendor}, "accepts 1 arg"},
		{[]string{"certify", folder, "--vendor", "/nowhere"}, "read the vendor's file /nowhere"},
		{[]string{"certify", folder, "--vendor", folder}, "no regular file"},
		{[]string{"certify", folder, "--vendor", vendor, "--key", vendor}, vendor + ": it is no private key in PEM; give an ed25519"},
		{[]string{"certify", folder, "--vendor", vendor, "--key", writeFile(t, "pub", ed25519Public)}, `a PEM block of the type "PUBLIC KEY"; give`},
		{[]string{"certify", folder, "--vendor", vendor, "--out", filepath.Join(folder, "c.json")}, "would change the evidence"},
		{[]string{"certify", "/nowhere", "--vendor", vendor}, "read evidence"},
		{[]string{"certify", "--check", "--vendor", writeFile(t, "v.yaml", "product: x\n")}, "v.yaml:1: organisation is missing"},
		{[]string{"verify", "/nowhere", folder}, "read the certificate /nowhere"},
		{[]string{"verify", vendor, "/nowhere"}, "read evidence: stat /nowhere"},
		{[]string{"verify", vendor, folder, "--key", writeFile(t, "key", ed25519Key)}, `a PEM block of the type "PRIVATE KEY"; give`},
		{[]string{"verify", vendor, folder, "--rerun"}, "name it with --kernel"},
	} {
		_, err := execute(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) || exitCode(err) != verdict.ExitInfrastructure {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
	said, err := execute(t, "certify", "--check", "--vendor", vendor)
	if err != nil || !strings.Contains(said, "has everything that a certificate needs") {
		t.Errorf("%v\n%s", err, said)
	}
}
