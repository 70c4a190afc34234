package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/seal"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

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

// TestCertificatesSpeakChinese fails if a reader of Chinese is told in English what a
// certificate says, or that there is none.
func TestCertificatesSpeakChinese(t *testing.T) {
	folder, public := certified(t)
	cert := filepath.Join(folder, certificateFile)
	vendor := writeFile(t, "vendor.yaml", vendorText)
	for _, c := range []struct {
		args  []string
		wants []string
	}{
		{[]string{"certify", folder, "--vendor", vendor, "--out", filepath.Join(t.TempDir(), "c.json")}, []string{"的证书：符合\n", "机构      Example Linux Ltd\n", "它不作的承诺：", "证书没有签名", "证书："}},
		{[]string{"certify", "--check", "--vendor", vendor}, []string{"具备证书所需的一切"}},
		{[]string{"verify", cert, folder, "--key", public}, []string{"中的证据能得出这份证书", "签名。密钥属于谁"}},
		{[]string{"verify", cert, folder}, []string{"没有核对它的签名"}},
		{[]string{"verify", vendor, folder}, []string{"被拒绝："}},
	} {
		said, _ := execute(t, append(c.args, "--lang", "zh")...)
		for _, want := range c.wants {
			if !strings.Contains(said, want) {
				t.Errorf("%v: no %q in\n%s", c.args, want, said)
			}
		}
	}
}
