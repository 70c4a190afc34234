package export

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// tests are the tests of one level in KTAP version 1 (the kernel's Documentation/dev-tools/ktap.rst).
type tests struct {
	lines   []string
	count   int
	failed  bool // one of them is not ok, and was not skipped
	skipped int
}

// add adds a test. before are its diagnostic lines, or its subtests, or both. skip says why its
// result does not count; failure says what broke. Both may be "".
func (t *tests) add(ok bool, name, skip, failure string, before ...string) {
	t.count++
	t.lines = append(t.lines, before...)
	line := fmt.Sprintf("not ok %d %s", t.count, ktapName(name))
	if ok {
		line = fmt.Sprintf("ok %d %s", t.count, ktapName(name))
	}
	switch {
	case skip != "":
		line += " # SKIP " + ktapText(skip)
		t.skipped++
	case failure != "":
		line += " # ERROR " + ktapText(failure)
	}
	t.failed = t.failed || skip == "" && !ok
	t.lines = append(t.lines, line)
}

// indent is put before the lines of subtests. The kernel's page names two blanks for it; KUnit
// writes four, every reader of KTAP accepts both, and readers of TAP see subtests only behind four.
const indent = "    "

// parent adds a test that consists of subtests.
func (t *tests) parent(name string, sub tests) {
	lines := []string{}
	for _, l := range sub.document() {
		lines = append(lines, indent+l)
	}
	skip := ""
	if sub.skipped == sub.count {
		skip = "nothing here was decided, or nothing that is decided counts"
	}
	t.add(!sub.failed, name, skip, "", lines...)
}

// document returns the lines of all tests, with the version and the plan before them.
func (t *tests) document() []string {
	return append([]string{"KTAP version 1", fmt.Sprintf("1..%d", t.count)}, t.lines...)
}

// ktap writes a plan for each cell, and subtests for each suite. A test is not ok and not skipped
// exactly when the run ends with another status than 0.
func ktap(in Input) ([]File, error) {
	of, claims := in.of(), in.claims()
	var all tests
	for _, c := range in.Report.Cells {
		if len(of[c.Name]) == 0 {
			all.add(false, c.Name, "", "no claim was asked of the cell")
			continue
		}
		var cell tests
		for from, suites := 0, of[c.Name]; from < len(suites); {
			to := from
			var suite tests
			for ; to < len(suites) && suites[to].Suite == suites[from].Suite; to++ {
				in.test(&suite, suites[to], claims[suites[to].Claim])
			}
			cell.parent(suites[from].Suite, suite)
			from = to
		}
		all.parent(c.Name, cell)
	}
	if code := in.Report.ExitCode(in.Strict); code != verdict.ExitConformant && !all.failed {
		all.add(false, "verdict", "", fmt.Sprintf("exit status %d: %s", code, in.Report.Verdict.Reason)) // no claim failed, and not everything was decided
	}
	h := in.Report.Header
	lines := all.document()
	head := fmt.Sprintf("# mapstack %s %s, started %s, evidence %s", h.Tool.Version, h.Tool.Revision, h.Started.Format(time.RFC3339), h.Evidence)
	// No reader wants anything between a version and its plan.
	lines = append(lines[:2:2], append([]string{ktapText(head)}, lines[2:]...)...)
	return []File{{"results.ktap", []byte(strings.Join(lines, "\n") + "\n")}}, nil
}

// test adds the outcome of a claim. What changes no verdict is skipped, as in JUnit; KTAP has
// TODO and XFAIL too, which the kernel's own reader does not know.
func (in Input) test(t *tests, o verdict.Outcome, c report.Claim) {
	first, _, _ := strings.Cut(o.Reason, "\n")
	said := diagnosis(in.Report, o, c)
	switch {
	case o.Stale():
		t.add(false, o.Claim, "", "stale: "+o.Advice())
	case o.Status == verdict.Pass:
		t.add(true, o.Claim, "", "")
	case o.Status == verdict.Unsupported:
		t.add(true, o.Claim, "unsupported: "+first, "")
	case o.Accepted():
		t.add(false, o.Claim, fmt.Sprintf("fails, as a deviation accepts: %s (%s)", o.Deviation.Reason, o.Deviation.Source), "", said...)
	case o.AsKnown():
		t.add(false, o.Claim, fmt.Sprintf("fails, as known: %s (%s)", o.Known.Reason, o.Known.Link), "", said...)
	case o.Harmless():
		t.add(false, o.Claim, fmt.Sprintf("%s; a %s changes no verdict: %s", o.Status, o.Level, first), "", said...)
	case o.Status == verdict.Fail:
		t.add(false, o.Claim, "", "", said...)
	default:
		t.add(false, o.Claim, "", fmt.Sprintf("%s: %s", o.Status, first), said...)
	}
}

// diagnosis returns the lines before a test that is not ok.
func diagnosis(r report.Report, o verdict.Outcome, c report.Claim) (lines []string) {
	say := func(text string) { lines = append(lines, "# "+o.Claim+": "+ktapText(text)) }
	say(fmt.Sprintf("%s: %s", o.Level, c.English))
	for line := range strings.SplitSeq(cut(o.Reason, maxWhole), "\n") {
		say(fmt.Sprintf("%s: %s", o.Status, line))
	}
	if o.Status == verdict.Fail && o.Expected != "" {
		say("expected: " + o.Expected)
		say("observed: " + o.Observed)
	}
	say("again: " + summary.Repeat(r, o.Cell, o.Claim))
	return lines
}

// ktapName returns a name in which no reader of TAP or KTAP finds anything else.
func ktapName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._+-@:", r) {
			return r
		}
		return '_'
	}, cut(name, maxShown))
}

// ends are what the kernel prints when it stops. Its reader of KTAP stops there too.
var ends = strings.NewReplacer("List of all partitions:", `List of all partitions\x3a`,
	"Kernel panic - not syncing: VFS:", `Kernel panic - not syncing: VFS\x3a`, "reboot: System halted", `reboot\x3a System halted`)

// ktapText returns a text on one line, in which no reader finds a directive or the end of the
// tests.
func ktapText(s string) string {
	head, rest := "", foreign.Text(cut(s, maxWhole))
	if strings.HasPrefix(rest, "# ") {
		head, rest = "# ", rest[2:]
	}
	return head + strings.TrimRight(ends.Replace(strings.ReplaceAll(rest, " #", ` \x23`)), " ")
}
