package signal

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that wrong answers are given on.
const usual = "amd64-debian13bpo-newest"

// wrong returns, by recorded cell, the answers that must turn a claim red.
func wrong() map[string][]recorded.Wrong {
	value, einval := recorded.Value, recorded.Errno(22, "EINVAL")
	return map[string][]recorded.Wrong{usual: {
		{"SG-001", "thread.stack", einval}, // only some memory, as on OpenBSD
		{"SG-001", "thread.plain", recorded.Errno(12, "ENOMEM")},
		{"SG-001", "thread.stack", value("handled", "false")},
		{"SG-001", "thread.stack", value("resident after", "0")}, // handled on another stack
		{"SG-001", "thread.stack", value("sp", "0x7f0000000000")},
		{"SG-001", "thread.plain", value("size", "0x1000")},
		{"SG-001", "thread.stack", value("restored", "false")},
		{"SG-002", "thread.smallest", value("size", "2047")},
		{"SG-002", "thread.smallest", value("size", "8192")}, // another architecture's
		{"SG-002", "thread.smallest", einval},
		{"SG-003", "thread.bad flags", recorded.Success("0x0")},
		{"SG-003", "thread.bad flags", recorded.Errno(12, "ENOMEM")},
		{"SG-003", "thread.bad flags", value("unchanged", "false")},
		{"SG-004", "thread.inherit.thread", value("flags", "0")},
		{"SG-004", "thread.inherit.thread", value("size", "0x8000")},
		{"SG-004", "thread.inherit.thread", einval},
		{"SG-101", "thread.inherit.fork", value("flags", "2")},
		{"SG-101", "thread.inherit.fork", value("size", "0x0")},
		{"SG-101", "thread.inherit.vfork", value("flags", "2")},
		{"SG-101", "thread.inherit.vfork", value("sp", "0x0")},
	}}
}

func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryClaimCanFail(t, Suite(), probe, wrong())
}

// TestALargerSignalStackMayBeNeeded fails if a kernel is blamed for a size that it tells
// programs of, or for that of its time, or if any size is taken for one of these.
func TestALargerSignalStackMayBeNeeded(t *testing.T) {
	value := recorded.Value
	for _, tc := range []struct {
		cell, size, needed string
		release            release.Release
		want               verdict.Status
	}{
		{usual, "2697", "2696", release.Release{Major: 6, Minor: 1}, verdict.Pass},
		{usual, "2048", "2696", release.Release{Major: 6, Minor: 1}, verdict.Pass},
		{usual, "2047", "2696", release.Release{Major: 6, Minor: 1}, verdict.Fail},
		{usual, "2698", "2696", release.Release{Major: 6, Minor: 1}, verdict.Fail},
		{usual, "2048", "1024", release.Release{Major: 6, Minor: 1}, verdict.Pass},
		{usual, "2697", "", release.Release{Major: 6, Minor: 1}, verdict.Fail},
		{"ppc64le-debian14-newest-64k", "2048", "", release.Release{Major: 4, Minor: 19}, verdict.Pass},
		{"ppc64le-debian14-newest-64k", "2048", "", release.Release{Major: 5, Minor: 14}, verdict.Fail},
		{"ppc64le-debian14-newest-64k", "1024", "", release.Release{Major: 4, Minor: 19}, verdict.Fail},
	} {
		f, tr := recorded.Kernel(t, tc.cell, probe)
		f.Release = tc.release
		tr = recorded.Change(t, tr, "thread.smallest", value("size", tc.size))
		tr = recorded.Change(t, tr, "thread.smallest", func(o *wire.Observation) {
			if delete(o.Values, "needed"); tc.needed != "" {
				o.Values["needed"] = tc.needed
			}
		})
		if o := recorded.One(t, Suite(), "SG-002", f, tr); o.Status != tc.want {
			t.Errorf("%+v: %s: %s", tc, o.Status, o.Reason)
		}
	}
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, Suite(), usual, probe)
	value := recorded.Value
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"SG-001", "thread.stack", value("resident before", "64")}, // in use already
		{"SG-001", "thread", value("timedout", "true")},
		{"SG-002", "thread", value("exit", "2")},
		{"SG-003", "thread", value("timedout", "true")},
		// Nothing could be inherited.
		{"SG-004", "thread.runtime", value("flags", "2")},
		{"SG-101", "thread.runtime", value("flags", "2")},
		{"SG-101", "thread.runtime", recorded.Errno(14, "EFAULT")},
	})
}
