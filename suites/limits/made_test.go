package limits

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// later lists the claims whose steps came after the recordings.
var later = []string{"LM-126", "LM-127"}

func TestNoLimitCanBeWrong(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	const none = "18446744073709551615"
	right := recorded.With(tr,
		wire.Observation{Step: "infinity.set", Ret: "0x0"},
		wire.Observation{Step: "infinity.get", Ret: "0x0", Values: map[string]string{"current": none, "max": none, "shown": "unlimited unlimited"}},
		wire.Observation{Step: "infinity.set finite", Ret: "0x0"},
		wire.Observation{Step: "infinity.getrlimit", Ret: "0x0", Values: map[string]string{"current": "19087360"}},
	)
	enosys := recorded.Errno(38, "ENOSYS")
	recorded.EveryAnswerDecides(t, recorded.Only(Suite(), later...), f, right, []recorded.Wrong{
		{Claim: "LM-126", Step: "infinity.set", Change: recorded.Errno(22, "EINVAL")},
		{Claim: "LM-126", Step: "infinity.get", Change: recorded.Value("current", "9223372036854775807")}, // as getrlimit of alpha
		{Claim: "LM-126", Step: "infinity.get", Change: recorded.Value("shown", "9223372036854775807 unlimited")},
		{Claim: "LM-127", Step: "infinity.getrlimit", Change: enosys},
		{Claim: "LM-127", Step: "infinity.getrlimit", Change: recorded.Value("current", "0")},
	})
	f.Arch = "ppc64le"
	if o := recorded.One(t, Suite(), "LM-127", f, recorded.Change(t, right, "infinity.getrlimit", enosys)); o.Status != verdict.Pass {
		t.Errorf("ppc64le without getrlimit: %+v", o)
	}
}
