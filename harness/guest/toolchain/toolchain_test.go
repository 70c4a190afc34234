package toolchain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

func record(t testing.TB, name string) arch.Record {
	t.Helper()
	rec, err := arch.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": module + "\n", "go.sum": "", "poc/guest.mod": module + "\n",
		"poc/agent/main.go": "package main\n", "poc/agent/main_test.go": "package main\n",
		"harness/guest/runtimevariant/stacks.go.txt": "",
	} {
		write(t, filepath.Join(root, name), text, 0o644)
	}
	return root
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// fakeGo puts a go command into PATH that runs script.
func fakeGo(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go"), "#!/bin/sh\n"+script+"\n", 0o755)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestTheKeyFollowsEverythingThatIsCompiled fails if the key stays the same when
// the programs change. Guests would then run old probes.
func TestTheKeyFollowsEverythingThatIsCompiled(t *testing.T) {
	root := checkout(t)
	key := func(version, name string, parts ...string) string {
		k, err := (&Go{root: root, version: version}).Key(record(t, name), parts...)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := key("go1", "amd64")
	write(t, filepath.Join(root, "poc/agent/main_test.go"), "package main // another\n", 0o644)
	if key("go1", "amd64") != first {
		t.Error("a test's source changes the key")
	}
	seen := []string{first, key("go2", "amd64"), key("go1", "arm64"), key("go1", "amd64", "part")}
	for _, name := range []string{"go.mod", "go.sum", "poc/guest.mod", "poc/agent/main.go", "poc/new/main.go", "harness/guest/runtimevariant/stacks.go.txt"} {
		write(t, filepath.Join(root, name), module+" // changed "+name+"\n", 0o644)
		seen = append(seen, key("go1", "amd64"))
	}
	slices.Sort(seen)
	if all := len(seen); len(slices.Compact(seen)) != all {
		t.Errorf("two of these keys are the same: %v", seen)
	}
}

func TestTheCallersSettingsDoNotReachTheGuest(t *testing.T) {
	fakeGo(t, "env > environment")
	for name, value := range map[string]string{"GOOS": "plan9", "GOARCH": "386", "GOAMD64": "v4", "GOFLAGS": "-tags=other",
		"GOEXPERIMENT": "other", "GOWORK": "/other", "CGO_ENABLED": "1"} {
		t.Setenv(name, value)
	}
	root := checkout(t)
	if err := (&Go{root: root}).Build(t.Context(), record(t, "amd64"), t.TempDir(), []string{"agent"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "environment"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(string(text), "\n")
	for _, want := range []string{"GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "GOFLAGS=-trimpath", "GOEXPERIMENT=", "GOWORK=off", "CGO_ENABLED=0"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in the environment of the go command:\n%s", want, text)
		}
	}
}

// TestAStoppedBuildLeavesNothingInTMPDIR kills the go command while it has a work folder, as
// the end of a run does.
func TestAStoppedBuildLeavesNothingInTMPDIR(t *testing.T) {
	fakeGo(t, `mkdir "$GOTMPDIR/go-build1" "$TMPDIR/gcc1"; kill -KILL $$`)
	temporary, result := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	t.Setenv("GOTMPDIR", temporary)
	if err := (&Go{root: checkout(t)}).Build(t.Context(), record(t, "amd64"), result, []string{"agent"}); err == nil {
		t.Fatal("a go command that was killed compiled something")
	}
	for what, dir := range map[string]string{"TMPDIR": temporary, "the folder of the result": result} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s has %v (%v)", what, left, err)
		}
	}
}

func TestAFailedBuildSaysWhatTheCompilerSaid(t *testing.T) {
	fakeGo(t, "echo './poc/agent: no such thing' >&2; exit 1")
	err := (&Go{root: checkout(t)}).Build(t.Context(), record(t, "arm64"), t.TempDir(), []string{"agent"})
	for _, want := range []string{"compile guest programs for arm64", "./poc/agent: no such thing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestAStoppedBuildTakesItsCompilersAlong hangs if only the go command is killed:
// its compilers hold the output pipe.
func TestAStoppedBuildTakesItsCompilersAlong(t *testing.T) {
	fakeGo(t, "sleep 1000 & echo started > started; wait")
	root := checkout(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(root, "started")); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	err := (&Go{root: root}).Build(ctx, record(t, "amd64"), t.TempDir(), []string{"agent"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOutsideOfACheckoutItSaysSo(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.org/other\n", 0o644)
	if _, err := Open(t.Context(), dir, false); err == nil || !strings.Contains(err.Error(), "checkout of mapstack") {
		t.Errorf("got %v", err)
	}
}
