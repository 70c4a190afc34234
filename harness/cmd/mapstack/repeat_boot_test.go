//go:build boot

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBootRepeatsLeaveNothingOpen fails if what one repeat opened stays open in the next ones, as
// the lock of the cache did: while it is held, nobody prunes.
func TestBootRepeatsLeaveNothingOpen(t *testing.T) {
	before := open(t)
	said, err := execute(t, "run", "--cell", "amd64-debian12-6.1", "--focus", "features", "--repeat", "2", "--out", t.TempDir())
	if err != nil || !strings.Contains(said, "All 2 runs decided every claim alike.") {
		t.Fatalf("%v\n%s", err, said)
	}
	left := slices.DeleteFunc(open(t), func(of string) bool { return slices.Contains(before, of) })
	if len(left) > 0 {
		t.Errorf("still open: %q", left)
	}
}

// open lists what this process has open, but for what the Go runtime polls with.
func open(t *testing.T) (all []string) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		// One that is closed meanwhile is not open.
		if of, err := os.Readlink(fd); err == nil && !strings.HasPrefix(of, "anon_inode:[event") && !strings.HasPrefix(of, "/sys/fs/cgroup/") {
			all = append(all, of)
		}
	}
	return all
}
