// Package poc_test checks the rules for everything that runs in a guest. It must
// compile as Go 1.16, with the standard library of Go 1.16 and nothing else,
// because vendor toolchains build it.
package poc_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

const (
	module = "github.com/mapstack/conformance"
	// sysconf is the one exception: it is built from the main go.mod, for
	// architectures of stock Go.
	sysconf = module + "/poc/sysconf"
)

// stock returns the architectures for which stock Go builds guests.
func stock() []string {
	return []string{"amd64", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"}
}

// goList runs go list in the module's root with the settings of guest builds:
// guest.mod and no cgo.
func goList(t *testing.T, arch string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-modfile=poc/guest.mod"}, args...)...)
	cmd.Dir = ".."
	cmd.Env = guestEnv(arch)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s for %s: %v\n%s", cmd, arch, err, stderr.String())
	}
	return string(out)
}

func guestEnv(arch string) []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOWORK=off")
}

// guests returns the import paths of everything that runs in a target.
func guests(t *testing.T) []string {
	t.Helper()
	all := strings.Fields(goList(t, "amd64", "-e", "./poc/..."))
	return slices.DeleteFunc(all, func(path string) bool {
		return path == sysconf || path == module+"/poc" // it has only these tests
	})
}

// load type-checks packages with the settings of guest builds. Files in overlay are
// treated as part of the tree.
func load(t *testing.T, overlay map[string][]byte, paths ...string) []*packages.Package {
	t.Helper()
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports |
			packages.NeedTypes | packages.NeedTypesInfo | packages.NeedSyntax,
		Dir:        "..",
		Env:        guestEnv("amd64"),
		BuildFlags: []string{"-modfile=poc/guest.mod"},
		Overlay:    overlay,
	}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestGuestsNeedOnlyTheStandardLibrary(t *testing.T) {
	format := "{{if not .Standard}}{{.ImportPath}}{{end}}"
	args := append([]string{"-deps", "-f", format}, guests(t)...)
	needed := strings.Fields(goList(t, "amd64", args...))
	if len(needed) < 6 {
		t.Fatalf("only %q are needed; the check would prove nothing", needed)
	}
	for _, path := range needed {
		if !strings.HasPrefix(path, module+"/poc/") {
			t.Errorf("a guest program depends on %s", path)
		}
	}
}

func TestGuestsCompileForEveryArchitecture(t *testing.T) {
	paths := guests(t)
	for _, arch := range stock() {
		// With -export go list compiles every package but does not link it.
		goList(t, arch, append([]string{"-export"}, paths...)...)
	}
}

func TestGuestsUseTheLibraryOfGo116(t *testing.T) {
	newer := readAPI(t)
	for _, p := range load(t, nil, guests(t)...) {
		for _, err := range p.Errors {
			t.Errorf("%s: %v", p.PkgPath, err)
		}
		for _, use := range newer.uses(p) {
			t.Error(use)
		}
	}
}

// TestNewerGoIsNoticed fails if the check above misses a use of newer Go, of any
// kind. It also fails if guest.mod no longer limits the language.
func TestNewerGoIsNoticed(t *testing.T) {
	language := "package language\n\nfunc first[T any](s []T) T { return s[0] }\n\nvar _ = first([]int{1})\n"
	library := `package library

import (
	"errors"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

func use() {
	_, _, _ = strings.Cut("", "")       // function of 1.18
	_ = errors.Join()                   // function of 1.20
	_ = exec.Cmd{WaitDelay: time.Second} // field of 1.20
	c := exec.Command("true")
	c.Cancel = nil                      // field of 1.20
	_ = time.DateOnly                   // constant of 1.20
	_ = exec.ErrDot                     // variable of 1.19
	var n atomic.Int64                  // type of 1.19
	n.Add(1)                            // method of 1.19
	_ = time.Time{}.Compare             // method of 1.20
	_ = reflect.Pointer                 // constant of 1.18
	slices.Sort([]int{})                // package of 1.21
	_ = strings.Contains("", "")        // old
	_ = exec.Cmd{Path: ""}              // old
}
`
	overlay := map[string][]byte{}
	for name, source := range map[string]string{"language": language, "library": library} {
		path, err := filepath.Abs(filepath.Join(name, "newer.go"))
		if err != nil {
			t.Fatal(err)
		}
		overlay[path] = []byte(source)
	}
	loaded := load(t, overlay, "./poc/language", "./poc/library")
	if len(loaded) != 2 {
		t.Fatalf("%d packages are loaded", len(loaded))
	}
	if len(loaded[0].Errors) == 0 {
		t.Error("type parameters compile as Go 1.16")
	}
	var found []string
	for _, use := range readAPI(t).uses(loaded[1]) {
		found = append(found, fmt.Sprintf("%d %s", use.line, use.name))
	}
	want := []string{
		"14 strings.Cut", "15 errors.Join", "16 os/exec.Cmd.WaitDelay", "18 os/exec.Cmd.Cancel",
		"19 time.DateOnly", "20 os/exec.ErrDot", "21 sync/atomic.Int64", "22 sync/atomic.Int64.Add",
		"23 time.Time.Compare", "24 reflect.Pointer", "25 slices.Sort",
	}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("found %q\nwant  %q", found, want)
	}
}
