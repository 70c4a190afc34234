package recorded

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// red has the claims that failed in this process.
var red sync.Map

// Noted returns an outcome, and remembers its claim if it failed.
func Noted(o verdict.Outcome) verdict.Outcome {
	if o.Status == verdict.Fail {
		red.Store(o.Claim, true)
	}
	return o
}

// Main runs the tests of a suite's package, and fails unless they made each claim of the suite
// fail. The kill table says so of claims that no defect makes fail. It does not look if only
// some of the tests were asked for.
func Main(m *testing.M, suite claim.Suite) {
	status := m.Run()
	if status == 0 && whole() {
		for _, c := range suite.Claims {
			if _, failed := red.Load(c.ID); !failed {
				fmt.Printf("FAIL: no test of suite %s makes claim %s fail\n", suite.Name, c.ID)
				status = 1
			}
		}
	}
	os.Exit(status)
}

// whole reports whether all tests of the package ran.
func whole() bool {
	var narrowed strings.Builder
	for _, name := range []string{"run", "skip", "list", "fuzz"} {
		narrowed.WriteString(flag.Lookup("test." + name).Value.String())
	}
	return narrowed.String() == ""
}
