package export

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Folders of readers of others. None is kept here because of their licences and their size. A
// test that needs one is skipped, and says so, when its folder is not named. CI names the first.
const (
	// modules has tap-parser and xlsx as npm installs them; .ci/run has the versions.
	modules = "MAPSTACK_NODE_MODULES"
	// readers has kunit/kunit_parser.py, from tools/testing/kunit of a source package of the
	// kernel such as linux-source-6.1, and kcidb.schema.json, which is kcidb_io.schema.V5_3.json
	// of kernelci/kcidb-io, written as JSON. docs/running.md says how to make the folder. .ci/run
	// makes one with the parser alone.
	readers = "MAPSTACK_READERS"
)

// reader returns the path of a reader in the folder that a variable names.
func reader(t *testing.T, variable, name string) string {
	t.Helper()
	folder := os.Getenv(variable)
	if folder == "" {
		t.Skipf("not run: %s of others was not asked; set %s to a folder with it", name, variable)
	}
	path, err := filepath.Abs(filepath.Join(folder, filepath.FromSlash(name)))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return path
}

// answer runs a reader on an input, and reads its answer, one JSON value.
func answer(t *testing.T, input string, into any, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out, stderr.String())
	}
}

// cases are the reports that readers are asked about.
func cases() []Input {
	all := []Input{input(every()...), twoByTwo(), whole("x\ny"), whole(hostile), whole("\nList of all partitions:\nreboot: System halted")}
	endings(func(in Input) { all = append(all, in) })
	return all
}

// expect returns how many tests without subtests a reader of KTAP must see, and how many it must
// count as failed and as skipped.
func expect(t *testing.T, in Input) (total, failed, skipped int) {
	for _, o := range in.outcomes() {
		switch {
		case o.Stale():
			failed++
		case o.Status == verdict.Unsupported, o.AsKnown(), o.Status != verdict.Pass && o.Harmless():
			skipped++
		case o.Status != verdict.Pass:
			failed++
		}
	}
	total = len(in.Report.Outcomes)
	if strings.Contains(written(t, "ktap", in), " verdict # ERROR ") {
		total, failed = total+1, failed+1
	}
	return total, failed, skipped
}

// TestTheKernelsReaderReadsKTAP fails if kunit_parser.py finds a fault in what is written, or
// counts otherwise.
func TestTheKernelsReaderReadsKTAP(t *testing.T) {
	parser := reader(t, readers, "kunit/kunit_parser.py")
	const script = `
import json, sys, os
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import kunit_parser
all = []
answer = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1) # it prints what it reads
for text in json.load(sys.stdin):
    c = kunit_parser.parse_run_tests(text.splitlines()).counts
    all.append([c.passed, c.failed, c.skipped, c.crashed, c.errors])
json.dump(all, answer)
`
	all := cases()
	var counts [][5]int
	answer(t, texts(t, "ktap", all), &counts, "python3", "-c", script, parser)
	for i, in := range all {
		total, failed, skipped := expect(t, in)
		if want := [5]int{total - failed - skipped, failed, skipped, 0, 0}; counts[i] != want {
			t.Errorf("passed, failed, skipped, crashed, errors: %v, want %v of\n%s", counts[i], want, written(t, "ktap", in))
		}
	}
}

// TestAReaderOfTAPReadsKTAP fails if tap-parser takes a run for a good one that is not, finds a
// fault in what is written, or counts otherwise.
func TestAReaderOfTAPReadsKTAP(t *testing.T) {
	parser := reader(t, modules, "tap-parser")
	const script = `
const {Parser} = require(process.argv[1])
const all = JSON.parse(require('fs').readFileSync(0)).map(text => {
  const leaves = []
  const listen = p => {
    let subtests = new Set()
    p.on('child', c => { subtests.add(c); listen(c) })
    p.on('assert', a => { if (subtests.size) subtests = new Set(); else leaves.push(a) })
  }
  const p = new Parser(); listen(p); p.end(text)
  const r = p.results
  return {ok: r.ok, count: r.count, planned: r.plan.end, problems: r.failures.filter(f => f.tapError).length, bailed: r.bailout,
    failed: leaves.filter(a => !a.ok && !a.skip).length, skipped: leaves.filter(a => a.skip).length, leaves: leaves.length}
})
console.log(JSON.stringify(all))
`
	all := cases()
	var results []struct {
		OK                                                bool
		Count, Planned, Problems, Failed, Skipped, Leaves int
		Bailed                                            any
	}
	answer(t, texts(t, "ktap", all), &results, "node", "-e", script, parser)
	for i, in := range all {
		r, code := results[i], in.Report.ExitCode(in.Strict)
		if r.OK != (code == verdict.ExitConformant) || r.Count == 0 || r.Count != r.Planned || r.Problems > 0 || r.Bailed != false {
			t.Errorf("%+v, exit status %d, of\n%s", r, code, written(t, "ktap", in))
		}
		if total, failed, skipped := expect(t, in); r.Leaves != total || r.Failed != failed || r.Skipped != skipped {
			t.Errorf("%+v, want %d failed, %d skipped of %d, of\n%s", r, failed, skipped, total, written(t, "ktap", in))
		}
	}
}

// texts returns the texts of a format as a list in JSON.
func texts(t *testing.T, format string, all []Input) string {
	t.Helper()
	var list []string
	for _, in := range all {
		list = append(list, written(t, format, in))
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
