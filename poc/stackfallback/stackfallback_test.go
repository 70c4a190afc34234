package stackfallback

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/wire"
)

// limit is far more than a run takes on this machine.
const limit = time.Minute

// observe runs the probe, under a defect unless that is "". It returns the
// observations by step.
func observe(t *testing.T, dir, defect string) map[string]wire.Observation {
	t.Helper()
	argv := []string{filepath.Join(dir, "stackfallback")}
	if defect != "" {
		argv = []string{filepath.Join(dir, "inject"), defect, "stackfallback"}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, stderr.String())
	}
	steps := map[string]wire.Observation{}
	for _, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
		var o wire.Observation
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatalf("%v: %q: %v", argv, line, err)
		}
		steps[o.Step] = o
	}
	return steps
}

// TestEachAllocatorMeetsEachDefect checks IN-01 to IN-04 and IN-08 on the running
// kernel. The probe would prove nothing if a defect did not show in it.
func TestEachAllocatorMeetsEachDefect(t *testing.T) {
	k, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	inject := filepath.Join(dir, "inject")
	out, err := exec.Command("go", "build", "-o", inject, "../guest").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Link(inject, filepath.Join(dir, "stackfallback")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		defect, answer, finding string
		errno                   string // errno that ends strict, "" for a fault
		strict, fallback        bool   // all threads start
		flag                    bool   // fallback uses the flag
	}{
		{"", "yes", "usable", "", true, true, true},
		{"stack-eperm", "no", "refused", "EPERM", false, true, false},
		{"stack-einval", "no", "refused", "EINVAL", false, true, false},
		{"stack-eopnotsupp", "no", "refused", "EOPNOTSUPP", false, true, false},
		{"stack-enomem", "could not tell", "no memory", "ENOMEM", false, false, true},
		{"stack-read-only", "no", "read-only", "", false, true, false},
		{"stack-inaccessible", "no", "inaccessible", "", false, true, false},
		{"stack-mprotect-eacces", "no", "unguardable", "EACCES", false, true, false},
	} {
		if c.defect != "" && os.Getuid() != 0 {
			t.Log("only root may install a seccomp filter without giving up privileges: no defect is tried")
			return
		}
		steps := observe(t, dir, c.defect)
		if d := steps["detect"].Values; d["answer"] != c.answer || d["finding"] != c.finding {
			t.Errorf("%s: detected %v", c.defect, d)
		}
		if got := steps["fallback.allocator"].Values["stack flag"]; got != fmt.Sprint(c.flag) {
			t.Errorf("%s: fallback gives the flag: %s", c.defect, got)
		}
		for mode, up := range map[string]bool{"plain": true, "strict": c.strict, "fallback": c.fallback} {
			end, threads := steps[mode].Values, steps[mode+".threads"].Values["up"]
			if up {
				if end["exit"] != "0" || threads != "40" || steps[mode+".returned"].Values["mapped"] != "0x0" {
					t.Errorf("%s: %s ends %v with %s threads", c.defect, mode, end, threads)
				}
				continue
			}
			text := "fatal error: fault"
			if c.errno != "" {
				text = fmt.Sprintf("runtime: failed to create new OS thread (have 0 already; errno=%d)\nfatal error: newosproc\n", k.Errno(c.errno))
			}
			if end["exit"] != "2" || threads != "" || !strings.Contains(end["stderr"], text) {
				t.Errorf("%s: %s ends %v with %q threads, want %q", c.defect, mode, end, threads, text)
			}
		}
	}
}
