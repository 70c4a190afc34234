// Package harness_test checks which package may import which, and that every wing says what
// it holds.
package harness_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mapstack/conformance/"

// wing is a part of the module that is built on the wings after it.
type wing struct {
	folder string
	// skips lists the wings below that it must not import either.
	skips []string
	why   string
}

// Wings of a kind that several others skip.
const (
	suites   = "suites"
	run      = "harness/run"
	machine  = "harness/machine"
	guest    = "harness/guest"
	source   = "harness/source"
	diagnose = "harness/diagnose"
	fixtures = "fixtures"
	matrix   = "harness/matrix"
)

// wings lists the wings from top to bottom. A package may import the packages of its own wing
// and those of the wings below, except the wings that its own skips.
var wings = []wing{
	{"harness/cmd", nil, "a main joins everything"},
	{suites, []string{machine, guest, source, diagnose}, "claims read a finished run, and run has the cells run"},
	{run, []string{diagnose, fixtures}, "the engine knows no claim and is given its data as an fs.FS"},
	{"harness/judge", []string{machine, guest, source, diagnose, fixtures}, "a finished run is judged without what made it"},
	{machine, []string{diagnose, fixtures}, "a machine does not know who runs it"},
	{guest, []string{diagnose, fixtures}, "a guest does not know its machine"},
	{source, []string{diagnose, fixtures}, "a kernel does not know who boots it"},
	{diagnose, []string{fixtures}, "it runs on any host, without a cell"},
	{fixtures, []string{matrix, "harness/bundle", "harness/cache", "harness/progress", "harness/internal", "poc"}, "fixtures are data"},
	{"docs", nil, "pages are data"},
	{matrix, []string{"harness/bundle", "harness/cache", "harness/progress", "harness/internal"}, "data, and what reads it"},
	{"harness/failure", nil, "used by all"},
	{"harness/bundle", nil, "used by all"},
	{"harness/cache", nil, "used by all"},
	{"harness/progress", nil, "used by all"},
	{"harness/foreign", nil, "used by all"},
	{"harness/language", nil, "used by all"},
	{"harness/internal", nil, "fakes for the tests of all"},
	{"poc", nil, "guests know nothing of the host"},
}

// wingOf returns the index of the wing that a package of this module is in; -1 for none.
func wingOf(name string) int {
	return slices.IndexFunc(wings, func(w wing) bool { return name == w.folder || strings.HasPrefix(name, w.folder+"/") })
}

// allowed reports whether the package in one wing may import one in another.
func allowed(from, to int) bool {
	return from <= to && !slices.Contains(wings[from].skips, wings[to].folder)
}

type listed struct {
	ImportPath    string
	Imports, Deps []string
}

func packages(t *testing.T) (all []listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsRunDownTheWings(t *testing.T) {
	lived := map[int]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		from := wingOf(name)
		if from < 0 {
			if name != "harness" { // tests alone
				t.Errorf("%s is in no wing; the design has a room for it, or wings needs a row", name)
			}
			continue
		}
		lived[from] = true
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "github.com/onsi/") && wings[from].folder != suites {
				t.Errorf("%s imports %s: only suites import Ginkgo and Gomega", name, path)
			}
			short, ours := strings.CutPrefix(path, module)
			if to := wingOf(short); ours && !allowed(from, to) {
				t.Errorf("%s imports %s: %s", name, short, wings[from].why)
			}
		}
	}
	for i, w := range wings {
		if !lived[i] {
			t.Errorf("no package is in %s any more: mend its row", w.folder)
		}
	}
}

// TestEveryWingNamesItsRooms fails if the doc.go of a wing leaves out a room, or names one
// that is gone. A reader finds the rooms there, each with its job.
func TestEveryWingNamesItsRooms(t *testing.T) {
	harness := os.DirFS(".")
	for _, w := range wings {
		folder, inside := strings.CutPrefix(w.folder, "harness/")
		if !inside {
			continue
		}
		there := rooms(t, harness, folder)
		if len(there) == 0 {
			continue // the package comment says its job
		}
		if named := namedRooms(t, folder+"/doc.go"); !slices.Equal(named, there) {
			t.Errorf("%s/doc.go names the rooms %q, and the folder has %q: give each one line, in this order", w.folder, named, there)
		}
	}
}

// rooms returns the folders with Go files below a wing, by their paths in it, sorted.
func rooms(t *testing.T, harness fs.FS, wing string) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(harness, wing, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == "testdata" {
			return fs.SkipDir // the go command does not look there either
		}
		room, below := strings.CutPrefix(path.Dir(name), wing+"/")
		if err == nil && below && !e.IsDir() && path.Ext(name) == ".go" && !slices.Contains(found, room) {
			found = append(found, room)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// namedRooms returns the first word of every indented line in a file's package comment.
func namedRooms(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		t.Errorf("read the rooms of a wing: %v", err)
		return nil
	}
	var named []string
	for line := range strings.Lines(parsed.Doc.Text()) {
		if words := strings.Fields(line); len(words) > 0 && strings.HasPrefix(line, "\t") {
			named = append(named, words[0])
		}
	}
	return named
}

// TestSuitesDoNotKnowEachOther fails if a suite borrows from another instead of
// from suites/internal.
func TestSuitesDoNotKnowEachOther(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		own, inside := strings.CutPrefix(name, suites+"/")
		if !inside || strings.HasPrefix(own, "internal/") {
			continue
		}
		for _, path := range p.Imports {
			other, ours := strings.CutPrefix(path, module+suites+"/")
			if ours && !strings.HasPrefix(other, "internal/") {
				t.Errorf("suite %s imports suite %s", own, other)
			}
		}
	}
}

func TestGuestProgramsImportTheStandardLibraryOnly(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if !strings.HasPrefix(name, "poc/") || name == "poc/sysconf" {
			continue
		}
		for _, dep := range p.Deps {
			if strings.Contains(dep, ".") && !strings.HasPrefix(dep, module+"poc/") {
				t.Errorf("%s imports %s; vendor toolchains have the standard library only", name, dep)
			}
		}
	}
}

// TestNoCReadsForeignBytes fails if the program has a package with C code outside of Go's own
// library: hostile kernels, packages and disks are read with its libraries.
func TestNoCReadsForeignBytes(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{range .CgoFiles}}{{$.ImportPath}} {{end}}{{end}}", "./cmd/mapstack")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if found := strings.Fields(string(out)); len(found) > 0 {
		t.Errorf("these packages have C code: %v", found)
	}
}

// TestWhatPacksIsNotInTheProgram fails if the program has what only make packages needs.
func TestWhatPacksIsNotInTheProgram(t *testing.T) {
	const pages = "github.com/spf13/cobra/doc"
	list := func(tags string) []string {
		out, err := exec.Command("go", "list", "-deps", "-tags", tags, "./cmd/mapstack").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	if !slices.Contains(list("manpages"), pages) {
		t.Errorf("%s writes no manual pages any more: mend this test", pages)
	}
	if slices.Contains(list(""), pages) {
		t.Errorf("the program has %s in it, which only writes manual pages", pages)
	}
}
