//go:build boot

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// TestBootACertificateIsRepeated runs a kernel that was given, has it certified, and repeats
// the run as a second party does. A repetition with another kernel must be refused.
func TestBootACertificateIsRepeated(t *testing.T) {
	p := debianParts(t)
	kernel, out := filepath.Join(p.dir, "vmlinuz"), t.TempDir()
	if err := os.WriteFile(kernel, p.kernel, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := execute(t, "run", "--kernel", kernel, "--out", out); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	runs, err := filepath.Glob(filepath.Join(out, "[0-9]*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v", runs, err)
	}
	said, err := execute(t, "certify", runs[0], "--vendor", writeFile(t, "vendor.yaml", vendorText), "--key", writeFile(t, "key.pem", ed25519Key))
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Log(said)
	again := []string{"verify", filepath.Join(runs[0], certificateFile), runs[0], "--key", writeFile(t, "key.pub", ed25519Public), "--rerun", "--out", t.TempDir()}
	said, err = execute(t, append(again, "--kernel", kernel)...)
	if err != nil || !strings.Contains(said, "outcomes are the same in the second run.") {
		t.Errorf("%v\n%s", err, said)
	}
	t.Log(said)
	said, err = execute(t, append(again, "--kernel", p.rpm())...)
	if exitCode(err) != verdict.ExitNonConformant || !strings.Contains(said, "give the same file") {
		t.Errorf("%v\n%s", err, said)
	}
}
