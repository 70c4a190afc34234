//go:build boot

package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/harness/diagnose/cases"
)

// TestBootWhatPeopleMetIsToldRightly runs the cases of diagnose in guests, where they may
// change the whole machine: on kernels of two ages with control groups of both versions,
// and on a second architecture.
func TestBootWhatPeopleMetIsToldRightly(t *testing.T) {
	for _, c := range []struct {
		cell   string
		groups int // their version
		// lacks are the cases that cannot be tried there.
		lacks []string
	}{
		{"amd64-debian12-6.1", 2, []string{"below_a_tracer_LeakSanitizer_fails"}},
		{"amd64-debian11-5.10", 1, []string{"a_limit_that_a_user_namespace_keeps", "below_a_tracer_LeakSanitizer_fails"}},
		{"arm64-debian12-6.1", 2, []string{"a_32-bit_program", "a_filter_answers_clone3_with_EPERM", "below_a_tracer_LeakSanitizer_fails"}},
	} {
		t.Run(c.cell, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			defer cancel()
			l := openLab(t, c.cell)
			dir := t.TempDir()
			if err := cases.Compile(ctx, "../../..", dir, c.cell[:strings.Index(c.cell, "-")]); err != nil {
				t.Fatal(err)
			}
			if why, err := os.ReadFile(filepath.Join(dir, "threads.absent")); err == nil {
				t.Skipf("not run: %s", why)
			}
			files := testSystem(t, dir)
			if c.groups == 1 {
				files = append(files, cpio.StaticFile("cases/groups-of-version-1", "", 0o644))
			}
			console := l.boot(ctx, files)
			if !strings.Contains(console, "\ncases-end 0 ") {
				t.Errorf("the tests in the guest failed:\n%s", failures(console))
			}
			done := tried(console)
			if !slices.Equal(done.missed, c.lacks) {
				t.Errorf("these were not run: %q, want %q", done.missed, c.lacks)
			}
			t.Logf("%d cases passed", done.passed)
		})
	}
}

// testSystem returns the files of a system whose first process runs the tests in dir.
func testSystem(t *testing.T, dir string) []cpio.Record {
	t.Helper()
	var files []cpio.Record
	for _, name := range []string{"cases", "dev", "proc", "sys", "tmp"} {
		files = append(files, cpio.Directory(name, 0o755))
	}
	files = append(files, cpio.CharDev("dev/console", 0o600, 5, 1), cpio.Symlink("init", "cases/"+cases.Tests))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, cpio.StaticFile("cases/"+e.Name(), string(b), 0o755))
	}
	return files
}
