package inject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
	"github.com/mapstack/conformance/poc/wire"
)

// TestCallsOfModelsAreKnown fails if a model cannot be injected where it means
// something. It also fails if calls would be stopped that the model does not
// concern.
func TestCallsOfModelsAreKnown(t *testing.T) {
	for _, k := range abi.All() {
		for _, m := range defect.Models() {
			if m.Why(defect.Target{GOARCH: k.GOARCH, MarksStacks: true}) != "" {
				continue
			}
			numbers, err := callNumbers(k, m)
			if err != nil {
				t.Errorf("%s on %s: %v", m.Name, k.GOARCH, err)
			}
			for _, name := range numbers {
				if name != parentCall && !slices.Contains(m.Calls, name) && (name != "mmap" || !m.Stacks) {
					t.Errorf("%s on %s: %s is stopped", m.Name, k.GOARCH, name)
				}
			}
		}
	}
}

// TestPlainMappingsStopUnlessAllModelsAreAboutStacks fails if a model would not see calls
// that it changes.
func TestPlainMappingsStopUnlessAllModelsAreAboutStacks(t *testing.T) {
	marked, _ := defect.Lookup("stack-eperm")
	other, _ := defect.Lookup("huge-length-einval")
	for _, k := range abi.All() {
		for _, c := range []struct {
			models []defect.Model
			pass   bool
		}{{[]defect.Model{marked}, !k.MmapByPointer}, {[]defect.Model{other}, false}, {[]defect.Model{marked, other}, false}} {
			numbers, err := callNumbers(k, c.models...)
			if err != nil {
				t.Fatal(err)
			}
			first, stops := filters(k, numbers, c.models...)[0], false
			for _, i := range first {
				stops = stops || i.Code == trace.JumpEqual && i.K == uint32(k.Syscall.Mmap)
			}
			if stops == c.pass {
				t.Errorf("%s, %d models, the first is %s: plain mappings pass: %v", k.GOARCH, len(c.models), c.models[0].Name, !stops)
			}
		}
	}
}

func TestRegistersAreKnownWhereGuestsRun(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "sw64"} {
		k, _ := abi.Lookup(arch)
		r, ok := k.Registers()
		if !ok {
			t.Errorf("%s has no registers", arch)
			continue
		}
		seen := map[int]bool{}
		for i, place := range r.Args {
			if place == abi.Unreachable && i == 0 {
				continue
			}
			if place < 0 || place >= trace.MaxRegisters || seen[place] {
				t.Errorf("%s: argument %d is at %d", arch, i, place)
			}
			seen[place] = true
		}
		if r.Result < 0 || r.Result >= trace.MaxRegisters || r.Failed.Mask != 0 && r.Failed.Word == r.Result {
			t.Errorf("%s: %+v", arch, r)
		}
	}
}

// programs builds the injector and probes for a test.
func programs(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may install a seccomp filter without giving up privileges")
	}
	dir := t.TempDir()
	inject := filepath.Join(dir, "inject")
	out, err := exec.Command("go", "build", "-o", inject, "../guest").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, probe := range []string{"mapstack", "hostile", "mmapabi"} {
		if err := os.Link(inject, filepath.Join(dir, probe)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// patience is far more than a run takes on this machine.
const patience = time.Minute

// observe runs a program. It returns its observations by step, and its exit status.
func observe(t *testing.T, path string, args ...string) (map[string]wire.Observation, int) {
	t.Helper()
	cmd := exec.Command(path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	steps := map[string]wire.Observation{}
	for _, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
		var o wire.Observation
		if json.Unmarshal(line, &o) == nil {
			steps[o.Step] = o
		}
	}
	if cmd.ProcessState.ExitCode() != 0 {
		t.Logf("%v: %s", args, stderr.String())
	}
	return steps, cmd.ProcessState.ExitCode()
}

// TestDefectsShowOnThisMachine tests the whole path on the running kernel: filter,
// stops, registers, children, and faults that pass through.
func TestDefectsShowOnThisMachine(t *testing.T) {
	dir := programs(t)
	inject := filepath.Join(dir, "inject")
	control, status := observe(t, filepath.Join(dir, "mapstack"))
	if status != 0 || len(control) < 40 {
		t.Fatalf("the probe alone: status %d, %d steps", status, len(control))
	}
	for _, c := range []struct {
		defect, step string
		check        func(o wire.Observation) bool
	}{
		{"stack-eperm", "map.1p", func(o wire.Observation) bool { return o.Error == "EPERM" && o.Ret == "" }},
		{"stack-read-only", "map.1p", func(o wire.Observation) bool { return o.Values["perms"] == "r--p" && o.Values["first"] == "fault" }},
		{"stack-privileged", "unprivileged.map.1p", func(o wire.Observation) bool { return o.Error == "EPERM" }},
		{"stack-privileged", "map.1p", func(o wire.Observation) bool { return o.Values["first"] == "ok" }},
		{"stack-mprotect-eacces", "glibc.mprotect", func(o wire.Observation) bool { return o.Error == "EACCES" }},
		{"stack-mprotect-eacces", "musl.mprotect", func(o wire.Observation) bool { return o.Errno == 0 }},
		{"munmap-ignored", "death.unmapped", func(o wire.Observation) bool { return o.Values["exit"] == "0" }},
	} {
		steps, status := observe(t, inject, c.defect, "mapstack")
		if status != 0 || !c.check(steps[c.step]) {
			t.Errorf("%s: status %d, %+v", c.defect, status, steps[c.step])
		}
		// IN-008: what the defect does not concern must not change.
		for _, step := range []string{"compare.plain", "access.plain.3"} {
			if now, was := steps[step], control[step]; now.Errno != was.Errno || now.Values["perms"] != was.Values["perms"] {
				t.Errorf("%s: %s is %+v, without the defect %+v", c.defect, step, now, was)
			}
		}
	}
}

// TestTheProbeSeesItsOwnParent fails if a probe can tell that an injector started
// it. The probe of limits then leaves out the steps that concern the machine.
func TestTheProbeSeesItsOwnParent(t *testing.T) {
	if os.Getenv("INJECT_TEST_PARENT") != "" {
		fmt.Printf("{\"step\":\"parent\",\"values\":{\"pid\":\"%d\"}}\n", os.Getppid())
		os.Exit(0)
	}
	dir := programs(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "parent")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("INJECT_TEST_PARENT", "1")
	steps, status := observe(t, filepath.Join(dir, "inject"), "stack-eperm", "parent", "-test.run=TestTheProbeSeesItsOwnParent")
	if want := strconv.Itoa(os.Getpid()); status != 0 || steps["parent"].Values["pid"] != want {
		t.Errorf("status %d, %+v, want parent %s", status, steps["parent"], want)
	}
}

// TestAProgramGoesOnUnderAnotherDefect fails if a program that turns to another model
// still meets the one before.
func TestAProgramGoesOnUnderAnotherDefect(t *testing.T) {
	if os.Getenv("INJECT_TEST_TURNS") != "" {
		k, err := sys.Running()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 0} {
			if err := Turn(n); err != nil {
				t.Fatal(err)
			}
			_, errno := k.Mmap(0, uintptr(os.Getpagesize()), k.Prot.Read, k.Map.Private|k.Map.Anonymous|k.Map.Stack, -1, 0)
			fmt.Printf("{\"step\":\"turn\",\"values\":{\"%d\":\"%s\"}}\n", n, k.ErrnoName(int(errno)))
		}
		os.Exit(0)
	}
	if Turn(0) == nil {
		t.Error("a program turns to a model without an injector")
	}
	dir := programs(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "turns")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("INJECT_TEST_TURNS", "1")
	const both = "stack-eperm,stack-einval"
	cmd := exec.Command(filepath.Join(dir, "inject"), both, "turns", "-test.run=TestAProgramGoesOnUnderAnotherDefect")
	out, err := cmd.CombinedOutput()
	want := "{\"step\":\"turn\",\"values\":{\"0\":\"EPERM\"}}\n" +
		"{\"step\":\"turn\",\"values\":{\"1\":\"EINVAL\"}}\n" +
		"{\"step\":\"turn\",\"values\":{\"0\":\"EPERM\"}}\n"
	if err != nil || string(out) != want {
		t.Errorf("%v\n%swant\n%s", err, out, want)
	}
}

func TestTheProbesEndPassesThrough(t *testing.T) {
	dir := programs(t)
	for mode, want := range map[string]int{"exit": 3, "crash": 2} {
		if _, status := observe(t, filepath.Join(dir, "inject"), "stack-eperm", "hostile", mode); status != want {
			t.Errorf("hostile %s: status %d, want %d", mode, status, want)
		}
	}
	for _, args := range [][]string{{}, {"stack-eperm"}, {"no-such-defect", "mapstack"}, {"stack-eperm,no-such-defect", "mapstack"}, {"stack-eperm", "no-such-probe"}} {
		if steps, status := observe(t, filepath.Join(dir, "inject"), args...); status != exitInjection || len(steps) != 0 {
			t.Errorf("%q: status %d, %d observations", args, status, len(steps))
		}
	}
}
