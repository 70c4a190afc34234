package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/guest/runtimevariant"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/wire"
)

// TestAVariantIsBuiltByTheToolchainThatWasEdited checks that the toolchain is used
// through a folder of links. The go command refuses an overlay on the module cache.
func TestAVariantIsBuiltByTheToolchainThatWasEdited(t *testing.T) {
	goroot := t.TempDir()
	write(t, filepath.Join(goroot, "VERSION"), "go1.99\n", 0o644)
	write(t, filepath.Join(goroot, "src/runtime/sys_linux_riscv64.s"),
		"\nTEXT runtime·clone(SB),NOSPLIT,$0\n\tMOVW\tZERO, ret+40(FP)\n", 0o644)
	write(t, filepath.Join(goroot, "bin/go"), "#!/bin/sh\necho \"$0\" \"$@\" > called; env > environment\n"+
		"while [ \"$1\" != -o ]; do shift; done; mkdir -p \"$2\" && touch \"$2/agent\"\n", 0o755)
	fakeGo(t, "echo "+goroot)
	root, result := checkout(t), t.TempDir()
	if err := (&Go{root: root}).BuildVariant(t.Context(), record(t, "riscv64"), catalog.Mended, result, []string{"agent"}); err != nil {
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
	// Whoever owns the result removes what a run that was killed left there.
	if !strings.HasPrefix(private, result+"/") {
		t.Errorf("the copy of the toolchain is in %s, and not below the result", private)
	}
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

// TestAPortThatIsNotKnownIsTold fails if a vendor's port of another kind is taken for one
// that can be mended.
func TestAPortThatIsNotKnownIsTold(t *testing.T) {
	for text, want := range map[string]error{
		"\nTEXT runtime·clone(SB),NOSPLIT,$0\n\tSTW\tR0, ret+40(FP)\n":  nil,
		"\nTEXT runtime·clone(SB),NOSPLIT,$0\n\tMOVW\tA0, ret+40(FP)\n": runtimevariant.ErrUnknown,
	} {
		goroot := t.TempDir()
		write(t, filepath.Join(goroot, "src/runtime/sys_linux_sw64.s"), text, 0o644)
		if err := (&Go{private: goroot}).Varies(t.Context(), record(t, "sw64"), catalog.Mended); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// variants builds the probes with each runtime, for this machine.
func variants(ctx context.Context, t testing.TB, dir string) {
	t.Helper()
	g, err := Open(ctx, ".", false)
	if err != nil {
		t.Fatal(err)
	}
	rec := record(t, runtime.GOARCH)
	if err := g.Build(ctx, rec, dir, []string{"inject", "threadstacks"}); err != nil {
		t.Fatal(err)
	}
	for _, v := range []catalog.Variant{catalog.Strict, catalog.Fallback} {
		if err := g.BuildVariant(ctx, rec, v, dir, []string{"threadstacks"}); err != nil {
			t.Fatal(err)
		}
	}
}

// stocked is the program with the stock runtime. The names of the variants begin
// with it.
const stocked = "threadstacks"

// BenchmarkThreads prints how many threads per second each runtime makes and ends,
// and the ratio of each variant to the stock runtime. They run in turn, so that
// other load on the machine affects all of them.
func BenchmarkThreads(b *testing.B) {
	dir := b.TempDir()
	variants(b.Context(), b, dir)
	runtimes := map[string]string{"stock": stocked, "strict": stocked + "-strict", "fallback": stocked + "-fallback"}
	samples := map[string][]float64{}
	for range b.N {
		for variant, program := range runtimes {
			out, err := exec.CommandContext(b.Context(), filepath.Join(dir, program), "rate").Output()
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
	for variant := range runtimes {
		b.ReportMetric(median(variant), variant+"/s")
		b.ReportMetric(median(variant)/median("stock"), variant+"/stock")
	}
	b.ReportMetric(0, "ns/op") // the time of all together means nothing
}
