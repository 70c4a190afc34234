package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/runtimevariant"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// An overlay on the module cache is refused by the go command, so the toolchain
// is always given another name.
func TestAVariantIsBuiltByTheToolchainThatWasEdited(t *testing.T) {
	goroot := t.TempDir()
	write(t, filepath.Join(goroot, "VERSION"), "go1.99\n", 0o644)
	write(t, filepath.Join(goroot, "src/runtime/sys_linux_riscv64.s"),
		"\nTEXT runtime·clone(SB),NOSPLIT,$0\n\tMOVW\tZERO, ret+40(FP)\n", 0o644)
	write(t, filepath.Join(goroot, "bin/go"), "#!/bin/sh\necho \"$0\" \"$@\" > called; env > environment\n", 0o755)
	fakeGo(t, "echo "+goroot)
	root := checkout(t)
	if err := (&Go{root: root}).BuildVariant(t.Context(), record(t, "riscv64"), runtimevariant.Mended, t.TempDir(), []string{"agent"}); err != nil {
		t.Fatal(err)
	}
	called, err := os.ReadFile(filepath.Join(root, "called"))
	if err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(filepath.Join(root, "environment"))
	if err != nil {
		t.Fatal(err)
	}
	tool, _, _ := strings.Cut(string(called), " ")
	private := filepath.Dir(filepath.Dir(tool))
	if private == goroot || !strings.Contains(string(called), " -overlay="+filepath.Dir(private)) {
		t.Errorf("called %s", called)
	}
	for _, want := range []string{"GOROOT=" + private, "GOTOOLCHAIN=local", "GOARCH=riscv64"} {
		if !slices.Contains(strings.Split(string(env), "\n"), want) {
			t.Errorf("no %s in the environment of the go command", want)
		}
	}
	if _, err := os.Stat(private); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s stays behind", private)
	}
}

// variants builds probes with each runtime, for this machine.
func variants(ctx context.Context, t testing.TB, dir string) {
	t.Helper()
	g, err := Open(ctx, ".")
	if err != nil {
		t.Fatal(err)
	}
	rec := record(t, runtime.GOARCH)
	programs := []string{"inject", "threadstacks"}
	if err := g.Build(ctx, rec, filepath.Join(dir, "stock"), programs); err != nil {
		t.Fatal(err)
	}
	for _, v := range []runtimevariant.Variant{runtimevariant.Strict, runtimevariant.Fallback} {
		if err := g.BuildVariant(ctx, rec, v, filepath.Join(dir, string(v)), programs); err != nil {
			t.Fatal(err)
		}
	}
}

// observe runs threadstacks below a defect and returns what it saw of the last
// generation of threads, its status and its last words.
func observe(ctx context.Context, t *testing.T, dir, defect string) (map[string]string, int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "inject"), defect, "threadstacks")
	if defect == "" {
		cmd = exec.CommandContext(ctx, filepath.Join(dir, "threadstacks"))
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var last wire.Observation
	for line := range bytes.Lines(out) {
		if err := json.Unmarshal(line, &last); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	return last.Values, cmd.ProcessState.ExitCode(), stderr.String()
}

// TestRuntimesMeetDefects runs real threads on real stacks, with what the kernel
// of this machine would do if it had each defect. Without it a variant could be a
// stock runtime, and a defect could pass it by.
func TestRuntimesMeetDefects(t *testing.T) {
	table, ok := abi.Lookup(runtime.GOARCH)
	if !ok {
		t.Skip("no table for this machine")
	}
	if os.Getuid() != 0 {
		t.Skip("only root may install a seccomp filter without giving up privileges")
	}
	dir := t.TempDir()
	variants(t.Context(), t, dir)
	const heap, mapped, fault = "heap", "mapped", "SIGSEGV"
	throw := func(errno string) string {
		return fmt.Sprintf("errno=%d)\nfatal error: newosproc\n", table.Errno(errno))
	}
	for _, c := range []struct{ defect, strict, fallback string }{
		{"", mapped, mapped},
		{"stack-eperm", throw("EPERM"), heap},
		{"stack-einval", throw("EINVAL"), heap},
		{"stack-eopnotsupp", throw("EOPNOTSUPP"), heap},
		{"stack-enomem", throw("ENOMEM"), throw("ENOMEM")},
		{"stack-read-only", fault, heap},
		{"stack-inaccessible", fault, heap},
	} {
		for variant, want := range map[string]string{"stock": heap, "strict": c.strict, "fallback": c.fallback} {
			values, status, text := observe(t.Context(), t, filepath.Join(dir, variant), c.defect)
			got := text
			switch {
			case status == 0 && values["mappings"] == "1":
				got = heap
			case status == 0 && values["mappings"] == values["found"]:
				got = mapped
			}
			if !strings.Contains(got, want) || (status == 2) != (want != heap && want != mapped) {
				t.Errorf("%s, defect %q: status %d, %v, %s; want %s", variant, c.defect, status, values, text, want)
			}
		}
	}
}

// BenchmarkThreads prints how many threads a second each runtime makes and ends,
// and the variants' part of the stock runtime's. They run in turn, so that what
// else the machine does meets all of them.
func BenchmarkThreads(b *testing.B) {
	dir := b.TempDir()
	variants(b.Context(), b, dir)
	runtimes := []string{"stock", "strict", "fallback"}
	samples := map[string][]float64{}
	for range b.N {
		for _, variant := range runtimes {
			out, err := exec.CommandContext(b.Context(), filepath.Join(dir, variant, "threadstacks"), "rate").Output()
			if err != nil {
				b.Fatal(err)
			}
			var o wire.Observation
			if err := json.Unmarshal(out, &o); err != nil {
				b.Fatal(err)
			}
			threads, err := strconv.ParseFloat(o.Values["threads"], 64)
			if err != nil {
				b.Fatal(err)
			}
			ns, err := strconv.ParseFloat(o.Values["ns"], 64)
			if err != nil {
				b.Fatal(err)
			}
			samples[variant] = append(samples[variant], threads/ns*1e9)
		}
	}
	median := func(variant string) float64 {
		s := samples[variant]
		slices.Sort(s)
		return s[len(s)/2]
	}
	for _, variant := range runtimes {
		b.ReportMetric(median(variant), variant+"/s")
		b.ReportMetric(median(variant)/median("stock"), variant+"/stock")
	}
	b.ReportMetric(0, "ns/op") // of all together, which says nothing
}
