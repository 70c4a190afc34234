//go:build boot

package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// unsteady are sysctls that change by themselves.
var unsteady = []string{"kernel/ns_last_pid", "kernel/pty/nr", "kernel/random/boot_id", "kernel/random/entropy_avail", "kernel/random/uuid"}

// host returns what a run must not change, by name. It is more than mapstack itself compares,
// and is read in another way.
func host(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, top := range []string{"kernel", "user", "vm"} {
		_ = fs.WalkDir(os.DirFS("/proc/sys"), top, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || slices.Contains(unsteady, name) {
				return nil // a folder that cannot be listed cannot be compared
			}
			if b, err := os.ReadFile(filepath.Join("/proc/sys", name)); err == nil {
				all["sysctl "+name] = string(b)
			}
			return nil
		})
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			all["group "+name] = ""
		}
		return nil
	})
	for _, file := range []string{"/proc/self/limits", "/proc/self/mounts", "/proc/self/cgroup"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[file] = string(b)
	}
	if len(all) < 50 {
		t.Fatalf("only %d things of the host can be read", len(all))
	}
	return all
}

// TestBootNativeTwice fails if two runs on this host have different outcomes, or if they
// change settings, limits, control groups, mounts or files of it.
func TestBootNativeTwice(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	statuses := func(r report.Report) map[string]verdict.Status {
		all := map[string]verdict.Status{}
		for _, o := range r.Outcomes {
			all[o.Claim] = o.Status
		}
		return all
	}
	before := host(t)
	first := judged(t, verdict.ExitIncomplete, "--target", "native")
	second := judged(t, verdict.ExitIncomplete, "--target", "native")
	after := host(t)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now, there := after[name]; !there || now != before[name] {
			t.Errorf("%s was %q and is %q (there: %t)", name, before[name], now, there)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, there := before[name]; !there {
			t.Errorf("%s is new", name)
		}
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if !maps.Equal(statuses(first), statuses(second)) || first.Verdict != second.Verdict {
		t.Errorf("first %+v, then %+v", first.Verdict, second.Verdict)
		for i, o := range first.Outcomes {
			if o.Status != second.Outcomes[i].Status {
				t.Errorf("first %+v, then %+v", o, second.Outcomes[i])
			}
		}
	}
	refused := 0
	for _, o := range first.Outcomes {
		if o.Status == verdict.NotRun && strings.Contains(o.Reason, "--destructive") {
			refused++
		}
	}
	if first.Verdict.Counts.Pass < 50 || refused < 50 {
		t.Errorf("%+v, refused without --destructive: %d", first.Verdict, refused)
	}
}
