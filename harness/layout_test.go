// Package harness_test holds the rules about which package may know which.
package harness_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/mapstack/conformance/"

// rules are the dependency direction of the design, for packages below a
// prefix: none of their dependencies may be below one of the others.
var rules = []struct{ from, never, why string }{
	{"poc/", "harness/", "guests know nothing of the host"},
	{"poc/", "suites", "probes observe, suites judge"},
	{"harness/", "github.com/onsi/", "only suites import Ginkgo and Gomega"},
	{"harness/", "suites", "the engine knows no claim"},
	{"harness/", "fixtures", "the engine is given its data as an fs.FS"},
	{"fixtures", "harness/", "fixtures are data"},
	{"suites", "harness/cmd/", "nothing imports a main"},
	{"suites/mapstack", "suites/mmapabi", "areas do not know each other"},
	{"suites/mmapabi", "suites/clone", "areas do not know each other"},
	{"suites/clone", "suites/mapstack", "areas do not know each other"},
	{"harness/matrix", "harness/qemu", "the matrix is pure"},
	{"harness/verdict", "harness/", "verdicts are a pure function of outcomes"},
	{"harness/report", "harness/run", "reports are pure"},
	{"harness/qemu", "harness/kernel", "a machine does not care where its kernel comes from"},
	{"harness/target", "harness/run", "knowledge goes one way"},
}

// joins is the one main that may know everything.
const joins = module + "harness/cmd/mapstack"

type listed struct {
	ImportPath string
	Deps       []string
	Standard   bool
}

func packages(t *testing.T) (all []listed) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Deps,Standard", "./...")
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

func TestPackagesKnowOnlyTheOnesToTheirLeft(t *testing.T) {
	all := packages(t)
	if len(all) < 20 {
		t.Fatalf("go list shows only %d packages", len(all))
	}
	used := make([]bool, len(rules))
	for _, p := range all {
		name := strings.TrimPrefix(p.ImportPath, module)
		for i, r := range rules {
			if p.ImportPath == joins || !strings.HasPrefix(name, r.from) {
				continue
			}
			used[i] = true
			for _, dep := range p.Deps {
				short := strings.TrimPrefix(dep, module)
				if strings.HasPrefix(short, r.never) && short != name {
					t.Errorf("%s imports %s: %s", name, short, r.why)
				}
			}
		}
	}
	for i, u := range used {
		if !u {
			t.Errorf("no package is below %s any more: mend rule %d", rules[i].from, i)
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
