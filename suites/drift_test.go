package suites

import (
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/collect"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// place is a step of a probe, or with a key one of its values.
type place struct{ probe, step, key string }

// mayLack lists what checks read and a probe need not report on this machine. A step
// is a pattern of path.Match. A row without a key excuses the step and its values.
func mayLack() []excuse {
	return []excuse{
		{place{"cloneflags", "newpid.*", ""}, unprivileged, "a PID namespace needs CAP_SYS_ADMIN"},
		{place{"mapstack", "huge.*", ""}, noFreeHugePages, "no huge page is free, and the probe sets none aside on a machine that others use"},
		{place{"mapstack", "lockall*", ""}, unprivileged, "mlockall of all memory needs CAP_IPC_LOCK"},
		{place{"mapstack", "unprivileged.*", ""}, unprivileged, "only root can start the child as another user"},
		{place{"mapstack", "guard.install", "*"}, refused("guard.install"), "MADV_GUARD_INSTALL came with Linux 6.13"},
		{place{"mapstack", "mdwe.*", ""}, refused("mdwe.get"), "PR_SET_MDWE came with Linux 6.3"},
		{place{"mapstack", "names", "*"}, refused("names"), "PR_SET_VMA_ANON_NAME is a configuration of the kernel"},
		{place{"mmapabi", "droppable", "*"}, refused("droppable"), "MAP_DROPPABLE came with Linux 6.11"},
		{place{"mmapabi", "environment", "hugepages"}, noHugePages, "the kernel has no pool of huge pages"},
		{place{"mmapabi", "locked.root *", "resident"}, unprivileged, "only root can lock more memory than RLIMIT_MEMLOCK"},
		{place{"variants", "stack-*.generation 0", ""}, unprivileged, "the injector needs CAP_SYS_ADMIN to install its filter"},
		{place{"variants", "stack-*.detector.*", ""}, unprivileged, "the injector needs CAP_SYS_ADMIN to install its filter"},
		{place{"variants", "*", "signal"}, always, "only a child that a signal ended reports one, and here none is"},
	}
}

// excuse is a place that may be missing where it applies, and why.
type excuse struct {
	place
	applies func(here wire.Transcript) bool
	why     string
}

func always(wire.Transcript) bool { return true }

// refused reports whether a step failed here, which says that the kernel lacks what
// the excused steps need.
func refused(step string) func(wire.Transcript) bool {
	return func(here wire.Transcript) bool {
		return slices.ContainsFunc(here.Observations, func(o wire.Observation) bool { return o.Step == step && o.Errno != 0 })
	}
}

// noFreeHugePages reports whether the probe said that it found no huge page to map.
func noFreeHugePages(here wire.Transcript) bool {
	return slices.ContainsFunc(here.Observations, func(o wire.Observation) bool {
		return o.Step == "huge" && (o.Values["free"] == "0" || o.Values["absent"] != "")
	})
}

func noHugePages(wire.Transcript) bool {
	_, err := os.Stat("/proc/sys/vm/nr_hugepages")
	return err != nil
}

// unprivileged reports whether the test, and with it a probe, lacks CAP_SYS_ADMIN.
func unprivileged(wire.Transcript) bool {
	const sysAdmin = 1 << 21 // CAP_SYS_ADMIN of <linux/capability.h>
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(status), "CapEff:\t")
	set, _, _ := strings.Cut(after, "\n")
	caps, err := strconv.ParseUint(set, 16, 64)
	return err != nil || caps&sysAdmin == 0
}

// covers reports whether the row is about a place, on whatever machine.
func (e excuse) covers(p place) bool {
	match, _ := path.Match(e.step, p.step)
	return match && e.probe == p.probe && (e.key == "" || e.key == p.key || e.key == "*" && p.key != "")
}

// TestChecksReadWhatProbesReport fails if a step or a value was renamed in a probe or
// in a check alone. The recorded transcripts have the old name, so that no other test
// notices.
func TestChecksReadWhatProbesReport(t *testing.T) {
	read := readHere(t)
	var programs []string
	for _, p := range catalog.Programs() {
		if safe(p) || p.Name == catalog.Inject { // variants starts it below itself
			programs = append(programs, p.Name)
		}
	}
	dir, excuses := recorded.Build(t, programs...), mayLack()
	used := make([]bool, len(excuses))
	for _, probe := range slices.Sorted(maps.Keys(read)) {
		here := recorded.Run(t, dir, probe)
		said := reported(here)
		for _, p := range slices.SortedFunc(maps.Keys(read[probe]), comparePlaces) {
			excused := said[p]
			for i, e := range excuses {
				if e.covers(p) {
					used[i] = true
					excused = excused || e.applies(here)
				}
			}
			if !excused {
				t.Errorf("a check reads step %q, value %q of probe %s, which does not report it here: was it renamed?", p.step, p.key, probe)
			}
		}
	}
	for i, e := range excuses {
		if !used[i] && runtime.GOARCH == "amd64" { // on others fewer kernels are recorded
			t.Errorf("no check reads what a row excuses: %s, step %q, value %q: %s; delete the row", e.probe, e.step, e.key, e.why)
		}
	}
}

// safe reports whether a program may run on any machine, and is built as guests are.
func safe(p catalog.Program) bool {
	return p.Risk.On(runtime.GOARCH) == catalog.Harmless && !p.Hosted && !p.Assembled
}

// readHere returns what the checks read of each safe probe when they judge the recorded
// kernels of this architecture.
func readHere(t *testing.T) map[string]map[place]bool {
	t.Helper()
	_, cells, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]map[place]bool{}
	for _, ev := range collect.FromCells(cells) {
		table, _ := abi.Lookup(ev.Cell.Arch)
		for _, suite := range All() {
			for _, c := range suite.Claims {
				program, _ := catalog.Lookup(c.Probe)
				tr, ran := ev.Transcripts[c.Probe]
				if ev.Cell.Arch != runtime.GOARCH || !ran || !safe(program) || c.Inapplicable(ev.Cell, table) != "" {
					continue
				}
				if read[c.Probe] == nil {
					read[c.Probe] = map[place]bool{}
				}
				watch(c, ev, tr, func(step, key string) { read[c.Probe][place{c.Probe, step, key}] = true })
			}
		}
	}
	if len(read) == 0 {
		t.Fatalf("fixtures/recorded has no kernel of %s", runtime.GOARCH)
	}
	return read
}

// watch runs a check for what it reads. How it ends does not matter.
func watch(c claim.Claim, ev claim.Evidence, tr wire.Transcript, seen func(step, key string)) {
	defer func() { _ = recover() }() // a check that misses something stops with a panic
	// A failure must not stop the check: what follows would not be read.
	g := gomega.NewGomega(func(string, ...int) {})
	c.Check(g, claim.Watched(tr, seen), *ev.Facts)
}

// reported lists the places that a transcript has.
func reported(tr wire.Transcript) map[place]bool {
	said := map[place]bool{}
	for _, o := range tr.Observations {
		said[place{tr.Probe, o.Step, ""}] = true
		for key := range o.Values {
			said[place{tr.Probe, o.Step, key}] = true
		}
		for key := range o.Unknown {
			said[place{tr.Probe, o.Step, key}] = true
		}
	}
	return said
}

func comparePlaces(a, b place) int {
	return strings.Compare(a.step+"\x00"+a.key, b.step+"\x00"+b.key)
}
