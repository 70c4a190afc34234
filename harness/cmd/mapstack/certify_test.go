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
	"github.com/mapstack/conformance/harness/judge/seal"
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

func TestACertificateIsVerifiedFromTheEvidence(t *testing.T) {
	folder, public := certified(t)
	cert := filepath.Join(folder, certificateFile)
	said, err := execute(t, "verify", cert, folder, "--key", public)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, want := range []string{"Example Linux Server 22.03", "8dc6bcce7194967e1fccd96795be8ea40cfb9dca5e06db586d0f1ad27b5eb2a6  bzImage",
		"What it does not promise:", "can forge the evidence", "signed it. Whose key that is must be known from elsewhere."} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	// The certificate in the folder is no evidence, and making it twice gives the same.
	before, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := execute(t, "certify", folder, "--vendor", writeFile(t, "vendor.yaml", vendorText), "--key", writeFile(t, "key.pem", ed25519Key)); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if after, err := os.ReadFile(cert); err != nil || string(before) != string(after) {
		t.Errorf("%v: the second certificate of the same day differs", err)
	}
	// Nobody checked the signature.
	said, err = execute(t, "verify", cert, folder)
	if exitCode(err) != verdict.ExitIncomplete || !strings.Contains(said, "Its signature was not checked. Give the public key sha256:") {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestAnUnsignedCertificateSaysSo(t *testing.T) {
	run, cells := given(t)
	folder, out := finishedRun(t, run, cells), filepath.Join(t.TempDir(), "c.json")
	said, err := execute(t, "certify", folder, "--vendor", writeFile(t, "vendor.yaml", vendorText), "--out", out)
	if err != nil || !strings.Contains(said, "It is not signed: anybody can have written it.") {
		t.Fatalf("%v\n%s", err, said)
	}
	said, err = execute(t, "verify", out, folder)
	if exitCode(err) != verdict.ExitIncomplete || !strings.Contains(said, "It is not signed") {
		t.Errorf("%v\n%s", err, said)
	}
	said, err = execute(t, "verify", out, folder, "--key", writeFile(t, "key.pub", ed25519Public))
	if exitCode(err) != verdict.ExitNonConformant || !strings.Contains(said, "it has no signature, and a key was given") {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestSSHKeygenAgreesWithASignature fails if a reader who has ssh-keygen and no mapstack cannot
// check a certificate as docs/certificate.md says.
func TestSSHKeygenAgreesWithASignature(t *testing.T) {
	run, cells := given(t)
	folder := finishedRun(t, run, cells)
	private, public := opensshKey(t)
	said, err := execute(t, "certify", folder, "--vendor", writeFile(t, "vendor.yaml", vendorText), "--key", private)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	cert := filepath.Join(folder, certificateFile)
	if said, err := execute(t, "verify", cert, folder, "--key", public); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	line, err := os.ReadFile(public)
	if err != nil {
		t.Fatal(err)
	}
	signers := writeFile(t, "signers", "vendor "+string(line))
	check := func(payload string) ([]byte, error) {
		const script = `set -e; cd "$1"
python3 -c '
import base64, json, sys
e = json.load(open(sys.argv[1])); payload = base64.b64decode(e["payload"])
open("signature", "wb").write(base64.b64decode(e["signatures"][0]["sig"]))
open("message", "wb").write(b"DSSEv1 %d %s %d %s" % (len(e["payloadType"]), e["payloadType"].encode(), len(payload), payload))
' "$2"
printf %s "$4" >> message
ssh-keygen -Y verify -f "$3" -I vendor -n ` + seal.Namespace + ` -s signature < message`
		return exec.CommandContext(t.Context(), "sh", "-c", script, "sh", t.TempDir(), cert, signers, payload).CombinedOutput()
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 takes the envelope apart, and this machine has none")
	}
	if out, err := check(""); err != nil || !strings.Contains(string(out), "Good") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := check("x"); err == nil {
		t.Errorf("a message that was changed is accepted\n%s", out)
	}
}

// TestEachKindOfTamperingIsRefused changes one thing of a certificate or its evidence at a time.
func TestEachKindOfTamperingIsRefused(t *testing.T) {
	folder, public := certified(t)
	edit := func(name, from, to string) func(*testing.T, string) {
		return func(t *testing.T, copied string) {
			path := filepath.Join(copied, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(b), from, to, 1)
			if changed == string(b) {
				t.Fatalf("nothing was replaced in %s", name)
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// payload changes what the certificate says, and keeps its form.
	payload := func(from, to string) func(*testing.T, string) {
		return func(t *testing.T, copied string) {
			path := filepath.Join(copied, certificateFile)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var e struct {
				PayloadType string              `json:"payloadType"`
				Payload     []byte              `json:"payload"`
				Signatures  []map[string]string `json:"signatures"`
			}
			if err := json.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			said := strings.Replace(string(e.Payload), from, to, 1)
			if said == string(e.Payload) {
				t.Fatalf("nothing was replaced in %s", said)
			}
			e.Payload = []byte(said)
			if b, err = json.MarshalIndent(e, "", "  "); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	const cell, changed = "cells/given-kernel-amd64/", "it was changed after it was signed"
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	for name, c := range map[string]struct {
		change func(*testing.T, string)
		key    string
		want   string
	}{
		"a transcript":                {edit(cell+"transcripts/mapstack.json", `"ret": "`, `"ret": "1`), "", "it is about the evidence of the run with the SHA-256"},
		"a console log":               {edit(cell+"console/mapstack.log", "A", "B"), "", "it is about the evidence of the run"},
		"the kernel in the evidence":  {edit(cell+"cell.json", "8dc6bcce", "8dc6bccf"), "", "it is about the evidence of the run"},
		"the day in the evidence":     {edit("run.json", `"started": "20`, `"started": "19`), "", "it is about the evidence of the run"},
		"a file more":                 {func(t *testing.T, f string) { mustWrite(t, filepath.Join(f, "note.txt")) }, "", "it is about the evidence of the run"},
		"a file less":                 {func(t *testing.T, f string) { mustRemove(t, filepath.Join(f, cell, "console/boot.log")) }, "", "it is about the evidence of the run"},
		"the report":                  {edit(reportFile, `"cores": `, `"cores": 1`), "", "it is about the report of the run"},
		"no report":                   {func(t *testing.T, f string) { mustRemove(t, filepath.Join(f, reportFile)) }, "", "it is about the report of the run"},
		"a test that passed":          {payload("given-kernel-amd64/MS-001", "given-kernel-amd64/MS-991"), "", changed},
		"the vendor":                  {payload("Example Linux Ltd", "Other Linux Ltd"), "", changed},
		"the product":                 {payload("Example Linux Server", "Other Linux Server"), "", changed},
		"its day":                     {payload(`"made": "20`, `"made": "21`), "", changed},
		"its end":                     {payload(`"ends": "20`, `"ends": "21`), "", changed},
		"the hash of the kernel":      {payload("8dc6bcce", "8dc6bccf"), "", changed},
		"the type of the payload":     {edit(certificateFile, "in-toto+json", "in-toto+jsom"), "", `its payload is of the type "application/vnd.in-toto+jsom"`},
		"the signature":               {edit(certificateFile, `"sig": "`, `"sig": "A`), "", "refused"},
		"the key that is named":       {edit(certificateFile, `"keyid": "sha256:`, `"keyid": "sha256:0`), "", "and the key that was given is sha256:"},
		"a space":                     {edit(certificateFile, `": "`, `":  "`), "", "not written as mapstack writes a certificate"},
		"a field":                     {edit(certificateFile, "{", `{"note": "",`), "", "not written as mapstack writes a certificate"},
		"the end of the file":         {edit(certificateFile, "\n}\n", "\n}\n\n"), "", "not written as mapstack writes a certificate"},
		"no envelope":                 {edit(certificateFile, "{", "["), "", "it is no DSSE envelope"},
		"another key":                 {func(*testing.T, string) {}, otherKey, "and the key that was given is sha256:"},
		"unsigned, of another day":    {unsigned(payload(`"made": "`+time.Now().UTC().Format(time.DateOnly), `"made": "`+tomorrow)), "none", "which is not yet"},
		"unsigned, with a later end":  {unsigned(payload(`"ends": "20`, `"ends": "21`)), "none", "its terms are not what the evidence gives"},
		"unsigned, that ended":        {unsigned(payload(`"ends": "20`, `"ends": "19`)), "none", "it ended on 19"},
		"unsigned, of an old version": {unsigned(payload(`"endsWith": "1.0.0"`, `"endsWith": "0.0.0"`)), "none", "it ended with mapstack 0.0.0"},
		"unsigned, of other tests":    {unsigned(payload("given-kernel-amd64/MS-001", "given-kernel-amd64/MS-991")), "none", "its tests that passed are not what the evidence gives"},
		"unsigned, of another kernel": {unsigned(payload("8dc6bcce", "8dc6bccf")), "none", "with the SHA-256 8dc6bccf7194"},
		"unsigned, a hidden vendor":   {unsigned(payload("Example Linux Ltd", "\u202eLtd")), "none", "nothing that a vendor's file can say"},
		"unsigned, another predicate": {unsigned(payload("test-result/v0.1", "test-result/v0.2")), "none", "no statement as mapstack writes one"},
	} {
		t.Run(name, func(t *testing.T) {
			copied := t.TempDir()
			if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			c.change(t, copied)
			args := []string{"verify", filepath.Join(copied, certificateFile), copied}
			switch c.key {
			case "":
				args = append(args, "--key", public)
			case "none":
			default:
				args = append(args, "--key", writeFile(t, "other.pub", c.key))
			}
			said, err := execute(t, args...)
			sentence, one := strings.CutPrefix(said, "The certificate "+args[1]+" is refused:\n  - ")
			if exitCode(err) != verdict.ExitNonConformant || !one || strings.Count(sentence, "\n") != 1 || !strings.Contains(said, c.want) {
				t.Errorf("%v, want %q:\n%s", err, c.want, said)
			}
		})
	}
}

const otherKey = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n" // RFC 8032, 7.1, test 1

// unsigned takes the signature away after a change, as a forger without the key does.
func unsigned(change func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, copied string) {
		change(t, copied)
		path := filepath.Join(copied, certificateFile)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before, _, found := strings.Cut(string(b), `"signatures": [`)
		if !found {
			t.Fatal("the certificate has no signatures")
		}
		if err := os.WriteFile(path, []byte(before+"\"signatures\": []\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
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
