package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// trial is one fault, the runs that it disturbs, and the run after it.
type trial struct {
	rig    *rig
	kind   kind
	random *rand.Rand
	matrix string
	runs   int      // at the same time
	tmp    string   // TMPDIR
	noTmp  bool     // TMPDIR names no folder
	limits []string // command that sets limits for the run and executes it; nil for none
	note   string   // what was done, in a few words
	mend   []func() error
}

// ending says how a disturbed run ended.
type ending string

const (
	unharmed ending = "unharmed" // as if nothing had happened
	overcame ending = "overcame" // the same outcomes, and the report tells what went wrong
	stated   ending = "stated"   // it ended with an error that says why
	killed   ending = "killed"   // it could not end otherwise
)

// seen is what a trial showed.
type seen struct {
	note    string
	ends    map[ending]int
	kept    int // cells that were finished before the fault and are in the report
	defects []string
}

func (s *seen) defect(format string, args ...any) {
	s.defects = append(s.defects, fmt.Sprintf(format, args...))
}

func (s seen) String() string {
	text := s.note
	for _, e := range []ending{unharmed, overcame, stated, killed} {
		if s.ends[e] > 0 {
			text += fmt.Sprintf("; %s %d", e, s.ends[e])
		}
	}
	for _, d := range s.defects {
		text += "\nDEFECT: " + d
	}
	return text
}

// start starts a run in the state that the trial has made.
func (t *trial) start() (*process, error) {
	t.rig.started++
	out := filepath.Join(t.rig.out(), fmt.Sprint("run-", t.rig.started))
	env := environment("XDG_CACHE_HOME="+t.rig.cacheHome(), "GOCACHE="+t.rig.goCache, "MAPSTACK_MIRROR="+t.rig.mirror.url(), "TMPDIR="+t.tmp)
	if !t.noTmp {
		if err := os.MkdirAll(t.tmp, 0o755); err != nil {
			return nil, err
		}
	}
	return t.rig.startProcess(t.limits, []string{t.rig.program, "run", "--cell", t.matrix, "--focus", focus, "--out", out}, env, out)
}

// run makes the trial.
func (t *trial) run() (s seen) {
	s.ends = map[ending]int{}
	defer func() {
		_ = os.RemoveAll(t.tmp)
		for _, run := range left(t.rig.out()) {
			_ = os.RemoveAll(filepath.Join(t.rig.out(), run))
		}
	}()
	err := t.kind.arm(t)
	var all []*process
	for range t.runs {
		if err != nil {
			break
		}
		var p *process
		if p, err = t.start(); err == nil {
			all = append(all, p)
		}
	}
	if err == nil && t.kind.strike != nil {
		t.kind.strike(t, all[0])
	}
	for _, p := range all {
		p.wait()
	}
	for _, undo := range t.mend {
		if undoErr := undo(); undoErr != nil && err == nil {
			err = undoErr
		}
	}
	t.rig.mirror.serve(nil)
	s.note = t.note
	if err != nil {
		s.defect("the fault could not be injected: %v", err)
		return s
	}
	t.limits, t.noTmp = nil, false
	t.leftovers(&s)
	for _, p := range all {
		t.examine(&s, p)
	}
	t.next(&s)
	return s
}

// endWait bounds how long processes and locks may outlive a run: the kernel ends them.
const endWait = 10 * time.Second

// leftovers looks for processes and locks of a run that has ended.
func (t *trial) leftovers(s *seen) {
	var alive, held []string
	for deadline := time.Now().Add(endWait); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if alive, held = t.rig.others(), heldLocks(t.rig.cache()); len(alive)+len(held) == 0 {
			return
		}
	}
	if len(alive) > 0 {
		s.defect("processes are left: %q", alive)
	}
	if len(held) > 0 {
		s.defect("locks are held: %q", held)
	}
}

// examine judges how a disturbed run ended.
func (t *trial) examine(s *seen, p *process) {
	text, code := p.said(), p.code()
	calm := t.rig.calm[t.matrix].outcomes
	show := func(why string) { s.defect("%s (exit status %d):\n%s", why, code, tail(text)) }
	r, found, err := readOutcomes(p.folder())
	t.kept(s, p, found)
	switch {
	case p.hung:
		show("it did not end")
		return
	case p.killed():
		if !t.kind.kills {
			show("it was killed by somebody else")
		}
		s.ends[killed]++
		return
	case p.stillborn():
		s.ends[killed]++
		return
	case crash(text) != "":
		if !t.kind.starves {
			show("it crashed: " + crash(text))
		}
		s.ends[killed]++
		return
	case err == nil:
		for _, why := range accusations(r, found) {
			show(why)
		}
	}
	switch code {
	case verdict.ExitConformant:
		if err != nil || !maps.Equal(found, calm) {
			show("it ended well, and its outcomes are not those of an undisturbed run")
		} else if len(r.Header.Retries)+len(r.Header.Warnings) > 0 {
			s.ends[overcame]++
		} else {
			s.ends[unharmed]++
		}
	case verdict.ExitIncomplete, verdict.ExitInfrastructure:
		if !strings.Contains(text, "mapstack: ") && !stating(r) {
			show("nothing says why it failed")
		}
		if t.kind.harmless {
			show("this fault should not stop a run")
		}
		s.ends[stated]++
	default:
		show("it blamed a kernel, or ended in an unknown way")
	}
}

// accusations returns what a report says against a kernel: none of these deserves it.
func accusations(r report.Report, found outcomes) (all []string) {
	for claim, status := range found {
		if status == verdict.Fail {
			all = append(all, "claim failed: "+claim)
		}
	}
	for _, c := range r.Cells {
		if c.Failure == nil {
			continue
		}
		f := failure.Failure{Kind: failure.Kind(c.Failure.Kind)}
		if !f.Ours() && f.Kind != failure.Interrupted && f.Kind != failure.Missing {
			all = append(all, fmt.Sprintf("cell %s: the kernel is blamed: %s", c.Name, c.Failure.Kind))
		}
	}
	for _, o := range r.Outcomes {
		for _, k := range []failure.Kind{failure.Hang, failure.Panic, failure.Oops, failure.Lockup, failure.Reboot, failure.NoInit} {
			if o.Status != verdict.Pass && strings.Contains(o.Reason, string(k)+": ") {
				all = append(all, fmt.Sprintf("%s on %s: the kernel is blamed: %s", o.Claim, o.Cell, firstLine(o.Reason)))
			}
		}
	}
	return all
}

// stating reports whether a report says why something was not decided.
func stating(r report.Report) bool {
	for _, o := range r.Outcomes {
		if o.Reason != "" && (o.Status == verdict.Error || o.Status == verdict.NotRun) {
			return true
		}
	}
	return false
}

// kept checks that the cells which had ended before the fault are in the report. If the run
// could not write one, its evidence is judged.
func (t *trial) kept(s *seen, p *process, found outcomes) {
	cells := p.finishedCells()
	if len(cells) == 0 {
		return
	}
	calm := t.rig.calm[t.matrix].outcomes
	if found == nil {
		judged := filepath.Join(t.rig.dir, "judged")
		defer os.RemoveAll(judged)
		again, err := t.rig.startProcess(nil, []string{t.rig.program, "verdict", p.folder(), "--write", judged}, environment("GOCACHE="+t.rig.goCache), "")
		if err != nil {
			s.defect("judge the evidence: %v", err)
			return
		}
		again.wait()
		if _, found, err = readOutcomes(judged); err != nil {
			s.defect("judge the evidence: %v\n%s", err, tail(again.said()))
			return
		}
	}
	for _, c := range cells {
		if !maps.Equal(found.of(c), calm.of(c)) {
			s.defect("cell %s was finished, and neither the report nor its evidence says so", c)
		} else {
			s.kept++
		}
	}
}

// next makes an undisturbed run with the same cache.
func (t *trial) next(s *seen) {
	p, err := t.start()
	if err != nil {
		s.defect("start the next run: %v", err)
		return
	}
	p.wait()
	found, err := p.outcomes()
	if err != nil || p.code() != verdict.ExitConformant || !maps.Equal(found, t.rig.calm[t.matrix].outcomes) {
		s.defect("the next run ended with %d (%v):\n%s", p.code(), err, tail(p.said()))
	}
	t.leftovers(s)
	for _, folder := range []string{t.tmp, filepath.Join(t.rig.cache(), "work")} {
		// The beginning of a download stays for a run that wants the same file.
		names := slices.DeleteFunc(left(folder), func(name string) bool { return strings.HasPrefix(name, "blob-") })
		if len(names) > 0 {
			s.defect("after the next run, %s still has %q", filepath.Base(folder), names)
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// tail returns the last lines of a text.
func tail(text string) string {
	const most = 3000
	return text[max(0, len(text)-most):]
}
