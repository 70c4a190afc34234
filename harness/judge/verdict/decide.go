package verdict

import "fmt"

// Verdict is what all outcomes together mean.
type Verdict string

const (
	Conformant    Verdict = "conformant"     // every MUST that applies holds, and everything asked for was decided
	NonConformant Verdict = "non-conformant" // a MUST does not hold
	Incomplete    Verdict = "incomplete"     // nothing is disproved, but not everything was decided
)

// Exit codes, the same from make, the CLI and every CI file.
const (
	ExitConformant     = 0
	ExitNonConformant  = 1
	ExitIncomplete     = 2
	ExitInfrastructure = 69 // EX_UNAVAILABLE of sysexits.h
)

// Decision is a verdict and the counts that it follows from.
type Decision struct {
	Verdict  Verdict `json:"verdict"`
	ExitCode int     `json:"exitCode"`
	Reason   string  `json:"reason"` // one sentence
	Chinese  string  `json:"zh"`     // the same in Chinese
	Counts   Counts  `json:"counts"`
}

// Decide turns outcomes into a verdict. The strongest statement that the
// outcomes prove wins:
//
//  1. A MUST that fails is non-conformant (1), whatever else went wrong. No missing
//     answer can change that.
//  2. Otherwise an error of a MUST makes the verdict incomplete. The exit code says
//     infrastructure (69), because the error is in the tests.
//  3. Otherwise the verdict is incomplete (2) when a claim did not run, or when no
//     claim was decided.
//  4. Everything else is conformant (0).
//
// A failure that a recorded deviation accepts counts as a failure, and changes no verdict.
// A SHOULD or MAY that fails or ends in an error is counted and shown, and changes no
// verdict. One that did not run does, because it was asked for. Unsupported claims do
// not count, so a run with no others is incomplete.
func Decide(outcomes []Outcome) Decision {
	d := Decision{Counts: Count(outcomes)}
	failedMust, accepted, broken := 0, 0, 0
	for _, o := range outcomes {
		switch {
		case o.Accepted():
			accepted++
		case o.Status == Fail && o.Level == Must:
			failedMust++
		case o.Level != Should && o.Level != May && Count([]Outcome{o}).Error == 1:
			broken++ // also a level that nobody knows
		}
	}
	c := d.Counts
	switch {
	case failedMust > 0:
		d.Verdict, d.ExitCode = NonConformant, ExitNonConformant
		d.Reason = fmt.Sprintf("%d of %d decided claims are MUSTs that do not hold", failedMust, c.Pass+c.Fail)
		d.Chinese = fmt.Sprintf("已判定的 %d 条断言中，有 %d 条 MUST 不成立", c.Pass+c.Fail, failedMust)
	case broken > 0:
		d.Verdict, d.ExitCode = Incomplete, ExitInfrastructure
		d.Reason = fmt.Sprintf("%d of %d claims ended in an error of the tests or their infrastructure", c.Error, c.Total())
		d.Chinese = fmt.Sprintf("%d 条断言中，有 %d 条因测试或其基础设施出错而没有结果", c.Total(), c.Error)
	case c.NotRun > 0:
		d.Verdict, d.ExitCode = Incomplete, ExitIncomplete
		d.Reason = fmt.Sprintf("%d of %d claims did not run", c.NotRun, c.Total())
		d.Chinese = fmt.Sprintf("%d 条断言中，有 %d 条没有运行", c.Total(), c.NotRun)
	case c.Pass+c.Fail == 0 && c.Error > 0:
		d.Verdict, d.ExitCode = Incomplete, ExitInfrastructure
		d.Reason = fmt.Sprintf("no claim was decided; %d ended in an error of the tests or their infrastructure", c.Error)
		d.Chinese = fmt.Sprintf("没有判定任何断言；%d 条因测试或其基础设施出错而没有结果", c.Error)
	case c.Pass+c.Fail == 0:
		d.Verdict, d.ExitCode = Incomplete, ExitIncomplete
		d.Reason, d.Chinese = "no claim was decided", "没有判定任何断言"
	default:
		d.Verdict, d.ExitCode = Conformant, ExitConformant
		d.Reason = fmt.Sprintf("%d of %d decided claims hold", c.Pass, c.Pass+c.Fail)
		d.Chinese = fmt.Sprintf("已判定的 %d 条断言中，有 %d 条成立", c.Pass+c.Fail, c.Pass)
		if accepted > 0 {
			d.Reason += fmt.Sprintf("; %d fail as recorded deviations accept", accepted)
			d.Chinese += fmt.Sprintf("；%d 条的失败被已记录的偏差接受", accepted)
		}
		if c.Fail > accepted {
			d.Reason += "; none of the others is a MUST"
			d.Chinese += "；其余各条都不是 MUST"
		}
		if c.Error > 0 {
			d.Reason += fmt.Sprintf("; %d SHOULD or MAY ended in an error of the tests and decided nothing", c.Error)
			d.Chinese += fmt.Sprintf("；%d 条 SHOULD 或 MAY 因测试出错而没有判定", c.Error)
		}
	}
	return d
}
