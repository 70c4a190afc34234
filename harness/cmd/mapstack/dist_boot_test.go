//go:build boot

package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// bundled is the cell that is taken to the machine without a network.
const bundled = "amd64-debian12-6.1"

// TestBootFromABundleWithoutANetwork makes the program of this host and a bundle of it. Then
// it runs a cell without a network, Go, QEMU, a checkout and a cache.
func TestBootFromABundleWithoutANetwork(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	dir := t.TempDir()
	said(t, exec.CommandContext(ctx, "make", "-C", "../../..", "dist", "HOSTS="+runtime.GOARCH, "DIST="+dir))
	program := filepath.Join(dir, "mapstack-linux-"+runtime.GOARCH)
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a loader; a vendor's machine may have another")
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "bundle")
	own := filepath.Join(dir, "own.yaml") // and a kernel by its URL, which the bundle has inside
	if err := os.WriteFile(own, []byte(kernelByURL(ctx, t, program)), 0o644); err != nil {
		t.Fatal(err)
	}
	said(t, exec.CommandContext(ctx, program, "bundle", "--matrix", own, "--cell", bundled+",by-url", "-o", bundle))

	for _, c := range []struct {
		args []string
		exit int
	}{
		{[]string{"run", "--offline", "--cell", bundled, "--focus", "mapstack"}, verdict.ExitConformant},
		{[]string{"run", "--matrix", "own.yaml", "--cell", "by-url", "--focus", "mapstack", "--out", "own"}, verdict.ExitConformant},
		{[]string{"run", "--cell", "arm64-debian12-6.1"}, verdict.ExitInfrastructure}, // not inside
		{[]string{"bundle"}, verdict.ExitInfrastructure},
	} {
		cmd := exec.CommandContext(ctx, bundle, c.args...)
		cmd.Dir = dir
		cmd.Env = []string{"HOME=" + dir, "XDG_CACHE_HOME=" + filepath.Join(dir, "cache"), "PATH=/nonexistent"}
		// A network namespace of its own, in which not even the loopback is up.
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			Pdeathsig: syscall.SIGTERM}
		out, _ := cmd.CombinedOutput() // the exit status is asked below
		if got := cmd.ProcessState.ExitCode(); got != c.exit {
			t.Errorf("%v ends with %d, want %d:\n%s", c.args, got, c.exit, out)
		}
		if strings.Contains(string(out), "make conformance") || strings.Contains(string(out), "make fetch") {
			t.Errorf("%v tells to use what is not there:\n%s", c.args, out)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "out", "[0-9]*", "report.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the reports are %v, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&r); err != nil {
		t.Fatal(err)
	}
	if r.Verdict.Verdict != verdict.Conformant || len(r.Header.QEMU) != 1 || !strings.HasPrefix(r.Header.QEMU[0].Source, "toolbox") {
		t.Errorf("%+v with %+v", r.Verdict, r.Header.QEMU)
	}
}

// kernelByURL returns a matrix file with a kernel of Debian's by its URL, hash and size.
func kernelByURL(ctx context.Context, t *testing.T, program string) string {
	t.Helper()
	out, err := exec.CommandContext(ctx, program, "fetch", "--list", "-o", "json", "--cell", bundled).Output()
	if err != nil {
		t.Fatal(err)
	}
	var all needed
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all.Packages {
		if p.What == "kernel" {
			return fmt.Sprintf("cells:\n  - name: by-url\n    kernel: {url: %q, sha256: %s, size: %d}\n", p.From+"/"+p.Filename, p.SHA256, p.Size)
		}
	}
	t.Fatalf("no kernel in %s", out)
	return ""
}

func said(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}
