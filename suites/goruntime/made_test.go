package goruntime

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// later lists the claims whose steps came after the recordings.
var later = []string{"GR-117", "GR-118"}

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
	recorded.EveryAnswerDecides(t, recorded.Only(Suite(), later...), f, right, []recorded.Wrong{
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
