package page

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
)

// data is what the script draws. Texts that come often, such as steps and reasons, are numbers:
// places in Texts. Place 0 is the empty text.
type data struct {
	Texts    []string       `json:"texts"`
	Cells    []cellData     `json:"cells"`
	Claims   []report.Claim `json:"claims"` // those with an outcome, by suite and ID
	Outcomes []outcome      `json:"outcomes"`
	// Steps holds the observations that checks read, by cell and probe.
	Steps map[string][]step `json:"steps"`
	// Consoles holds the end of what the kernel wrote, by cell and probe.
	Consoles map[string]int `json:"consoles"`
	// Seconds is how long the probes took, by cell and probe.
	Seconds map[string]float64 `json:"seconds"`
}

type cellData struct {
	Name  string `json:"name"`
	Arch  string `json:"arch"`
	Again string `json:"again"` // the command that repeats a claim, with CLAIM for its ID
}

// outcome is a verdict.Outcome. Claim and Cell are places in the lists of data.
type outcome struct {
	Claim     int    `json:"c"`
	Cell      int    `json:"k"`
	Status    string `json:"s"` // of verdict.Outcome, or "known" or "accepted" for such a failure
	Probe     int    `json:"p,omitempty"`
	Expected  int    `json:"x,omitempty"`
	Observed  int    `json:"o,omitempty"`
	Reason    int    `json:"r,omitempty"`
	Compared  int    `json:"n,omitempty"`
	Path      int    `json:"w,omitempty"`
	Step      int    `json:"t,omitempty"`
	Read      []int  `json:"d,omitempty"`
	Record    int    `json:"q,omitempty"` // the reason of a deviation or a known failure
	Reference int    `json:"l,omitempty"` // where it is explained
}

// step is a wire.Observation.
type step struct {
	Name    int    `json:"t"`
	Call    int    `json:"c,omitempty"`
	Answer  int    `json:"a,omitempty"` // what the call returned, or the error's name and number
	Values  []pair `json:"v,omitempty"` // sorted
	Unknown []pair `json:"u,omitempty"` // with the reason why each could not be determined
}

type pair [2]int

// maxValue is the longest value of a step that is shown, and maxConsole the longest end of a
// console, in bytes. The evidence has all of them.
const (
	maxValue   = 400
	maxConsole = 2 << 10
)

// interned gives texts their places.
type interned struct {
	list []string
	at   map[string]int
}

func (i *interned) of(s string) int {
	s = foreign.Lines(s)
	n, known := i.at[s]
	if !known {
		n = len(i.list)
		i.at[s] = n
		i.list = append(i.list, s)
	}
	return n
}

func newData(r report.Report, cells []evidence.CellRun, dir fs.FS) (data, error) {
	d := data{Cells: []cellData{}, Claims: []report.Claim{}, Outcomes: []outcome{}, Steps: map[string][]step{}, Consoles: map[string]int{}, Seconds: map[string]float64{}}
	texts := interned{at: map[string]int{}}
	texts.of("")
	cellAt, claimAt := map[string]int{}, map[string]int{}
	for i, c := range r.Cells {
		cellAt[c.Name] = i
		d.Cells = append(d.Cells, cellData{c.Name, c.Arch, summary.Repeat(r, c.Name, "CLAIM")})
	}
	decided := map[string]bool{}
	for _, o := range r.Outcomes {
		decided[o.Claim] = true
	}
	for _, c := range r.Claims {
		if decided[c.ID] {
			d.Claims = append(d.Claims, c)
		}
	}
	slices.SortStableFunc(d.Claims, func(a, b report.Claim) int { return strings.Compare(a.Suite, b.Suite) })
	for i, c := range d.Claims {
		claimAt[c.ID] = i
	}
	ran := map[string]evidence.CellRun{}
	for _, c := range cells {
		ran[c.Cell.Name] = c
	}
	read := map[string]map[string]bool{} // steps, by cell and probe
	for _, o := range r.Outcomes {
		claim, known := claimAt[o.Claim]
		cell, there := cellAt[o.Cell]
		if !known || !there {
			return d, fmt.Errorf("the report has an outcome of claim %q on cell %q, and does not describe both", o.Claim, o.Cell)
		}
		one := outcome{Claim: claim, Cell: cell, Status: status(o), Probe: texts.of(o.Probe), Expected: texts.of(o.Expected),
			Observed: texts.of(o.Observed), Reason: texts.of(o.Reason), Compared: o.Expectations, Path: texts.of(o.Where.Path), Step: texts.of(o.Where.Step)}
		key := o.Cell + "/" + o.Probe
		for _, s := range o.Where.Read {
			one.Read = append(one.Read, texts.of(s))
			if read[key] == nil {
				read[key] = map[string]bool{}
			}
			read[key][s] = true
		}
		switch {
		case o.Accepted():
			one.Record, one.Reference = texts.of(o.Deviation.Reason), texts.of(o.Deviation.Source)
		case o.Known != verdict.Known{}:
			one.Record, one.Reference = texts.of(o.Known.Reason), texts.of(o.Known.Link)
		}
		d.Outcomes = append(d.Outcomes, one)
		if s, known := r.Header.ProbeSeconds[o.Cell][o.Probe]; known {
			d.Seconds[key] = s
		}
		if _, done := d.Consoles[key]; !done && dir != nil && o.Probe != "" {
			tail, err := console(dir, o.Cell, o.Probe, ran[o.Cell].Runs[o.Probe].Guest)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return d, fmt.Errorf("read a console log: %w", err)
			}
			if err == nil {
				d.Consoles[key] = texts.of(tail)
			}
		}
	}
	for _, c := range cells {
		for probe, t := range c.Transcripts {
			key := c.Cell.Name + "/" + probe
			for _, o := range t.Observations {
				if read[key][o.Step] {
					d.Steps[key] = append(d.Steps[key], texts.step(o))
				}
			}
		}
	}
	d.Texts = texts.list
	return d, nil
}

// status returns the status of an outcome, or "known" or "accepted" for such a failure.
func status(o verdict.Outcome) string {
	switch {
	case o.Accepted():
		return "accepted"
	case o.AsKnown():
		return "known"
	}
	return string(o.Status)
}

func (i *interned) step(o wire.Observation) step {
	s := step{Name: i.of(o.Step), Call: i.of(o.Call)}
	switch {
	case o.Errno != 0:
		s.Answer = i.of(strings.TrimSpace(fmt.Sprintf("%s (%d)", o.Error, o.Errno)))
	case o.Ret != "":
		s.Answer = i.of(o.Ret)
	}
	s.Values, s.Unknown = i.pairs(o.Values), i.pairs(o.Unknown)
	return s
}

func (i *interned) pairs(values map[string]string) (all []pair) {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		all = append(all, pair{i.of(k), i.of(cut(values[k], maxValue))})
	}
	return all
}

// cut returns the beginning of a text, of at most n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// console returns the end of what a kernel wrote while a probe ran, without the frames of the
// agent; "" if that is nothing.
func console(dir fs.FS, cell, probe, guest string) (string, error) {
	if guest == evidence.Saved {
		probe = evidence.BootConsole
	}
	log, err := evidence.ReadFile(dir, path.Join("cells", cell, "console", probe+".log"))
	if err != nil {
		return "", err
	}
	var kept []string
	size := 0
	lines := bytes.Split(log, []byte("\n"))
	for i := len(lines) - 1; i >= 0 && size < maxConsole; i-- {
		line := strings.TrimRight(string(lines[i]), "\r")
		if strings.Contains(line, wire.GuestPrefix) || strings.Contains(line, wire.HostPrefix) || strings.TrimSpace(line) == "" {
			continue
		}
		line = cut(strings.ToValidUTF8(line, "\ufffd"), maxValue)
		size += len(line)
		kept = append(kept, line)
	}
	slices.Reverse(kept)
	return strings.Join(kept, "\n"), nil
}
