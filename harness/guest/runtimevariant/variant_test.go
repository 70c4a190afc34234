package runtimevariant

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/catalog"
)

// procGo has the shape of the runtime's file, and calls that must not change.
const procGo = `package runtime

import "unsafe"

//go:yeswritebarrierrec
func allocm(pp *p, fn func(), id int64) *m {
	stackfree(freem.g0.stack)
	if iscgo {
		mp.g0 = malg(-1)
	} else {
		mp.g0 = malg(16384)
	}
	return mp
}

func malg(stacksize int32) *g {
	newg := new(g)
	newg.stack = stackalloc(uint32(stacksize))
	return newg
}

func others() {
	newg = malg(2048)
	stackfree(gp.stack)
	gp.stack = stackalloc(1)
}
`

func lookup(t *testing.T, goarch string) abi.Table {
	t.Helper()
	table, ok := abi.Lookup(goarch)
	if !ok {
		t.Fatalf("no table for %s", goarch)
	}
	return table
}

func TestOnlyStacksOfThreadsAreMapped(t *testing.T) {
	for _, goarch := range []string{"amd64", "mips64le", "sw64"} {
		table := lookup(t, goarch)
		text, err := mapStacks([]byte(procGo), table, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "proc.go", text, 0); err != nil {
			t.Fatal(err)
		}
		// The original text keeps its lines, except at the two places.
		want := strings.Replace(procGo, "stackfree(freem.g0.stack)", "mapstackFree(freem.g0.stack)", 1)
		want = strings.Replace(want, "malg(16384)", "mapstackMalg(16384)", 1)
		added, found := strings.CutPrefix(string(text), want)
		if !found {
			t.Fatalf("the old text is\n%s", text)
		}
		for _, part := range []string{
			"func mapstackMalg(stacksize int32) *g {\n\tnewg := new(g)\n\tnewg.stack = mapstackAlloc(uint32(stacksize))\n",
			fmt.Sprintf("mapstackFlags = %#x\n", table.Map.Private|table.Map.Anonymous|table.Map.Stack),
			fmt.Sprintf("mapstackEAGAIN = %d\n", table.Errno("EAGAIN")),
			"mapstackFallback = true\n",
		} {
			if !strings.Contains(added, part) {
				t.Errorf("%s: what is added lacks %q:\n%s", goarch, part, added)
			}
		}
	}
}

// TestASourceThatIsNotKnownIsRefused protects against an edit at the wrong place.
// It would give a stock runtime under another name, or one that crashes.
func TestASourceThatIsNotKnownIsRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"malg(16384)", "malg(-1)", "the stack of a new g0 is at 0 places"},
		{"malg(-1)", "malg(8192)", "the stack of a new g0 is at 2 places"},
		{"func allocm", "func allocM", "no function allocm"},
		{"func malg", "func Malg", "no function malg"},
		{"stackfree(gp.stack)", "stackfree(mp.g0.stack)", "the end of a g0's stack is at 2 places"},
		{"stackfree(freem.g0.stack)", "freem.free()", "the end of a g0's stack is at 0 places"},
		{"newg.stack = stackalloc", "newg.stack = another", "the stack of a new g is at 0 places"},
		{"package runtime", "package", "expected"},
	} {
		text := strings.Replace(procGo, c.old, c.new, 1)
		if _, err := mapStacks([]byte(text), lookup(t, "amd64"), false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s becomes %s: %v, want %q", c.old, c.new, err, c.want)
		}
	}
}

const cloneS = "\nTEXT runtime·first(SB),$0\n\tMOVW\tZERO, ret+40(FP)\n" +
	"\nTEXT runtime·clone(SB),NOSPLIT|NOFRAME,$0\n\tECALL\n%s\tRET\n" +
	"\nTEXT runtime·next(SB),$0\n\tMOVW\tZERO, ret+40(FP)\n"

func TestTheResultOfCloneIsReturned(t *testing.T) {
	riscv := losses()["riscv64"]
	mendClone := func(text []byte) ([]byte, error) { return mendClone(text, riscv) }
	lost, kept := "\tMOVW\tZERO, ret+40(FP)\n", "\tMOVW\tA0, ret+40(FP)\n"
	text, err := mendClone([]byte(fmt.Sprintf(cloneS, lost)))
	if want := fmt.Sprintf(cloneS, kept); err != nil || string(text) != want {
		t.Errorf("%v, mended to\n%s\nwant\n%s", err, text, want)
	}
	if _, err := mendClone([]byte(fmt.Sprintf(cloneS, kept))); !errors.Is(err, ErrMended) {
		t.Errorf("already mended: %v", err)
	}
	for _, body := range []string{"", lost + lost, "\tMOVW\tZERO, ret+48(FP)\n", "// MOVW ZERO, ret+40(FP)\n"} {
		if _, err := mendClone([]byte(fmt.Sprintf(cloneS, body))); err == nil || errors.Is(err, ErrMended) {
			t.Errorf("%q: %v", body, err)
		}
	}
	if _, err := mendClone([]byte("TEXT runtime·other(SB),$0\n")); err == nil {
		t.Error("a file without clone is mended")
	}
}

// publicSW64 has the shape of runtime.clone in the public port of Go to sw64.
const publicSW64 = "\nTEXT runtime·mmap(SB),$0\n\tBEQ\tR19, ok\n\tSTW\tR0, ret+40(FP)\nok:\n\tRET\n" +
	"\n// func clone(flags int32) int32\nTEXT runtime·clone(SB), NOSPLIT, $0-44\n\tSYSCALL(SYS_clone)\n\tBEQ\tR0, child\n" +
	"%s\tSTW\tR0, ret+40(FP)  // on parent\n\tRET\nchild:\n\tRET\n\nTEXT runtime·raise(SB),$0\n\tRET\n"

// TestAPortOfSW64IsMended fails if a failed clone is still taken for a thread that runs, if
// a port that looks at r19 is changed, or if one of another kind is.
func TestAPortOfSW64IsMended(t *testing.T) {
	sw64 := losses()["sw64"]
	mended := fmt.Sprintf(publicSW64, "\tBEQ\tR19, mapstack_made\n\tSUBL\tZERO, R0, R0\nmapstack_made:\n")
	for _, text := range []string{fmt.Sprintf(publicSW64, ""), mended} {
		if got, err := mendClone([]byte(text), sw64); err != nil || string(got) != mended {
			t.Errorf("%v, mended to\n%s\nwant\n%s", err, got, mended)
		}
	}
	for _, text := range []string{
		strings.Replace(fmt.Sprintf(publicSW64, ""), "STW\tR0, ret+40(FP)  //", "STL\tR0, ret+40(FP)  //", 1),
		strings.Replace(fmt.Sprintf(publicSW64, ""), "runtime·clone", "runtime·clone0", 1),
	} {
		if got, err := mendClone([]byte(text), sw64); !errors.Is(err, ErrUnknown) {
			t.Errorf("%v, another port becomes\n%s", err, got)
		}
	}
}

// TestTheInstalledToolchainIsKnown fails when a new Go changes source that the
// variants depend on.
func TestTheInstalledToolchainIsKnown(t *testing.T) {
	goroot := installed(t)
	for _, table := range abi.All() {
		for _, v := range catalog.Variants() {
			dir := t.TempDir()
			path, err := Write(v, goroot, table, dir)
			if v == catalog.Mended && table.GOARCH != "riscv64" { // stock Go has no sw64
				if err == nil {
					t.Errorf("%s is made for %s", v, table.GOARCH)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s for %s: %v", v, table.GOARCH, err)
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var overlay struct{ Replace map[string]string }
			if err := json.Unmarshal(text, &overlay); err != nil || len(overlay.Replace) != 1 {
				t.Fatalf("%v: %s", err, text)
			}
			for from, to := range overlay.Replace {
				old, err := os.ReadFile(from)
				if err != nil {
					t.Fatal(err)
				}
				now, err := os.ReadFile(to)
				if err != nil || string(now) == string(old) || filepath.Dir(to) != dir {
					t.Errorf("%s for %s: %s is not changed in %s: %v", v, table.GOARCH, from, to, err)
				}
			}
		}
	}
	if _, err := Write(catalog.Variant("other"), goroot, lookup(t, "amd64"), t.TempDir()); err == nil {
		t.Error("an unknown variant is made")
	}
}

// TestAddedCodeCompilesEverywhere fails when the runtime no longer has what the
// added code uses. It covers every architecture that both this Go and poc/abi know.
func TestAddedCodeCompilesEverywhere(t *testing.T) {
	goroot := installed(t)
	checked := 0
	for _, table := range abi.All() {
		if table.GOARCH == "alpha" || table.GOARCH == "sw64" {
			continue // no stock Go
		}
		name := filepath.Join(goroot, "src", "runtime", "proc.go")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = mapStacks(text, table, true); err != nil {
			t.Fatal(err)
		}
		loaded, err := packages.Load(&packages.Config{
			Context: t.Context(),
			Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedFiles | packages.NeedCompiledGoFiles |
				packages.NeedTypes | packages.NeedTypesInfo | packages.NeedTypesSizes | packages.NeedSyntax,
			Env:     append(os.Environ(), "GOOS=linux", "GOARCH="+table.GOARCH, "CGO_ENABLED=0"),
			Overlay: map[string][]byte{name: text},
		}, "runtime")
		if err != nil || len(loaded) != 1 {
			t.Fatalf("%s: %v, %d packages", table.GOARCH, err, len(loaded))
		}
		for _, err := range loaded[0].Errors {
			t.Errorf("%s: %v", table.GOARCH, err)
		}
		if loaded[0].Types.Scope().Lookup(addedMalg) == nil {
			t.Errorf("%s: the runtime without the added code was compiled", table.GOARCH)
		}
		checked++
	}
	if checked != 7 {
		t.Errorf("%d architectures were checked", checked)
	}
}

// installed returns the GOROOT of the go command in use.
func installed(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
