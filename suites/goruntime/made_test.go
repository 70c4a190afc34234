package goruntime

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// later lists the claims whose steps came after the recordings.
var later = []string{"GR-117", "GR-118", "GR-119"}

// older is the suite without them.
func older() claim.Suite { return recorded.Except(Suite(), later...) }

func TestStartsWithoutMemoryCanFail(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	died := func(step, text string) []wire.Observation {
		return []wire.Observation{
			{Step: step + ".limit", Ret: "0x0"},
			{Step: step, Values: map[string]string{"exit": "2", "timedout": "false", "stderr": text}},
		}
	}
	right := recorded.With(tr, died("start EACCES", "runtime: mmap: access denied\n")...)
	right = recorded.With(right, died("start EAGAIN", "runtime: mmap: too much locked memory (check 'ulimit -l').\n")...)
	right = recorded.With(right, died("start as", "fatal error: failed to reserve page summary memory\n\nruntime stack:\n")...)
	value := recorded.Value
	recorded.EveryAnswerDecides(t, recorded.Only(Suite(), "GR-117", "GR-118"), f, right, []recorded.Wrong{
		{Claim: "GR-117", Step: "start EACCES", Change: value("exit", "0")},
		{Claim: "GR-117", Step: "start EACCES", Change: value("stderr", "")},
		{Claim: "GR-117", Step: "start EAGAIN", Change: value("stderr", "runtime: mmap: access denied")},
		{Claim: "GR-118", Step: "start as", Change: value("signal", "killed")},
		{Claim: "GR-118", Step: "start as", Change: value("stderr", "runtime: failed to create new OS thread (have 2 already; errno=11)")},
	})
	if o := recorded.One(t, Suite(), "GR-118", f, recorded.Change(t, right, "start as.limit", recorded.Errno(1, "EPERM"))); o.Status != verdict.Error {
		t.Errorf("a limit that was not set: %+v", o)
	}
}

// TestNamesOfStacksCanFail fails if a runtime passes that has its stacks elsewhere, or if a
// kernel or a toolchain without names is blamed.
func TestNamesOfStacksCanFail(t *testing.T) {
	f, _ := recorded.Kernel(t, usual, probe)
	f.Go = "go1.26.8"
	named := func(name string) wire.Transcript {
		tr := wire.Transcript{Probe: "mapstack", Observations: []wire.Observation{
			{Step: "names", Ret: "0x0", Values: map[string]string{"exit": "0", "timedout": "false", "stderr": ""}},
		}}
		for _, thread := range []string{"0", "1", "2", "3"} {
			tr.Observations = append(tr.Observations, wire.Observation{Step: "names.thread " + thread, Values: map[string]string{"stack": "0xc000100000", "name": name}})
		}
		return tr
	}
	nameless := wire.Transcript{Probe: "mapstack", Observations: []wire.Observation{{Step: "names", Call: "prctl", Errno: 22, Error: "EINVAL"}}}
	const heap = "[anon: Go: heap]"
	for name, tc := range map[string]struct {
		toolchain string
		shown     wire.Transcript
		want      verdict.Status
	}{
		"heap":                   {f.Go, named(heap), verdict.Pass},
		"a mapping of its own":   {f.Go, named("[anon: Go: OS thread stack]"), verdict.Fail},
		"no name":                {f.Go, named(""), verdict.Fail},
		"a kernel without names": {f.Go, nameless, verdict.Unsupported},
		"Go 1.24":                {"go1.24.1", named(""), verdict.Unsupported},
		"an unknown toolchain":   {"devel", named(heap), verdict.Error},
	} {
		f := f
		f.Go = tc.toolchain
		if o := recorded.One(t, Suite(), "GR-119", f, tc.shown); o.Status != tc.want {
			t.Errorf("%s: %s, want %s: %s", name, o.Status, tc.want, o.Reason)
		}
	}
}
