package report

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// WriteTable writes the report for a terminal: cells against suites, then
// everything that is no pass, then the verdict.
func (r Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	if r.Defect != nil {
		fmt.Fprintf(&b, "DEFECT INJECTED: %s\n    %s\n    %s\n"+
			"What follows is how a kernel with this defect is judged. It says nothing of the kernels named, and certifies nothing.\n\n",
			r.Defect.Name, r.Defect.English, r.Defect.Chinese)
		for _, where := range r.Defect.Unseen {
			b.WriteString("The defect cannot show " + where + ".\n\n")
		}
	}
	b.WriteString(r.emulator())
	b.WriteString(r.matrix() + "\n")
	b.WriteString("Counts are pass/fail/error/unsupported/not-run.\n")
	b.WriteString(r.problems())
	b.WriteString(r.sideBySide())
	fmt.Fprintf(&b, "\n%s: %s.\n", strings.ToUpper(string(r.Verdict.Verdict)), r.Verdict.Reason)
	if r.Defect != nil {
		fmt.Fprintf(&b, "This is the verdict on the injected defect %s, not on a kernel.\n", r.Defect.Name)
	}
	if r.Focus != "" {
		fmt.Fprintf(&b, "Only %s was asked for; this says nothing of the other claims.\n", r.Focus)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// UserModeNote heads the report of a user-mode emulator.
const (
	UserModeNote = "what is decided here is how the emulator translates; this certifies no kernel"
	userModeNote = "此处判定的只是模拟器如何翻译调用；不认证任何内核"
)

// emulator says which emulator a report is about, if it is about one.
func (r Report) emulator() string {
	if !slices.ContainsFunc(r.Cells, func(c CellReport) bool { return c.Target == "user" }) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "USER-MODE EMULATOR: %s.\n    用户态模拟器：%s。\n", UserModeNote, userModeNote)
	for _, q := range r.Header.QEMU {
		if q.Command != "" {
			fmt.Fprintf(&b, "    %s: version %s, from %s, SHA-256 %.12s: %s\n", q.Arch, q.Version, q.Source, q.Build, q.Command)
		}
	}
	return b.String() + "\n"
}

func (r Report) matrix() string {
	suites := r.suiteNames()
	// The verdict comes early: a narrow terminal wraps what is at the end.
	header := table.Row{"cell", "verdict", "kernel", "accel", "guests", "seconds"}
	for _, s := range suites {
		header = append(header, s)
	}
	t := plainTable(header)
	for _, c := range r.Cells {
		row := table.Row{c.Name, string(c.Verdict.Verdict), orDash(c.Kernel.Release), orDash(c.Accelerator), c.start(), r.seconds(c.Name)}
		for _, s := range suites {
			row = append(row, c.counts(s))
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "seconds", Align: text.AlignRight}})
	return t.Render()
}

func (r Report) suiteNames() []string {
	seen := map[string]bool{}
	var names []string
	for _, c := range r.Cells {
		for _, s := range c.Suites {
			if !seen[s.Name] {
				seen[s.Name] = true
				names = append(names, s.Name)
			}
		}
	}
	sort.Strings(names)
	return names
}

func (r Report) seconds(cell string) string {
	s, ok := r.Header.Seconds[cell]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f", s)
}

func (c CellReport) start() string {
	if c.Guest == nil {
		return "-"
	}
	return orDash(c.Guest.Start)
}

func (c CellReport) counts(suite string) string {
	for _, s := range c.Suites {
		if s.Name == suite {
			n := s.Counts
			return fmt.Sprintf("%d/%d/%d/%d/%d", n.Pass, n.Fail, n.Error, n.Unsupported, n.NotRun)
		}
	}
	return "-"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// problems lists what is neither pass nor unsupported. Outcomes of one cell
// with the same status and reason share an entry: a cell that did not boot
// would else print its console tail once per claim.
func (r Report) problems() string {
	sentence := map[string]string{}
	for _, c := range r.Claims {
		sentence[c.ID] = c.English
	}
	var b strings.Builder
	for i := 0; i < len(r.Outcomes); i++ {
		o := r.Outcomes[i]
		if o.Status == verdict.Pass || o.Status == verdict.Unsupported || r.reportedBefore(i) {
			continue
		}
		fmt.Fprintf(&b, "\n%s  %s  ", strings.ToUpper(string(o.Status)), o.Cell)
		var more []option
		switch ids := r.sameProblem(o); {
		case len(ids) > fewClaims:
			fmt.Fprintf(&b, "%d claims\n", len(ids))
		case len(ids) > 1:
			fmt.Fprintf(&b, "%d claims: %s\n", len(ids), strings.Join(ids, " "))
		default:
			fmt.Fprintf(&b, "%s %s: %s\n", o.Claim, o.Level, sentence[o.Claim])
			more = append(more, option{"FOCUS", o.Claim})
		}
		if r.Defect != nil {
			more = append(more, option{"DEFECT", r.Defect.Name})
		}
		for _, line := range strings.Split(o.Reason, "\n") {
			b.WriteString("    " + line + "\n")
		}
		b.WriteString("    again: " + r.repeat(o.Cell, more) + "\n")
	}
	return b.String()
}

// option narrows a run: a variable of make's, or a flag of the same name.
type option struct{ name, value string }

// repeat is the command that runs a cell again. Where ssh went, and in which folder
// a file was that somebody gave, no report tells.
func (r Report) repeat(cell string, more []option) string {
	command, flags := "make conformance", r.Header.Tool.Alone
	options := []option{{"CELL", cell}}
	for _, c := range r.Cells {
		switch {
		case c.Name != cell:
		case c.Target == "full-boot":
			flags, options = true, []option{{"OS-IMAGE", c.Kernel.Provenance.Filename}, {"FULL-BOOT", "--login ..."}}
		case c.Kernel.Provenance.Kind == "file" && c.Tier == "":
			flags, options = true, []option{{"KERNEL", c.Kernel.Provenance.Filename}}
		case c.Target == "ssh":
			options = []option{{"TARGET", "ssh://..."}}
		case c.Target == "user":
			options = []option{{"TARGET", c.Target}, {"ARCH", c.Arch}}
		case c.Target != "":
			options = []option{{"TARGET", c.Target}}
		}
	}
	form := " %s=%s"
	if flags {
		command, form = "bin/mapstack run", " --%s %s"
	}
	if r.Header.Tool.Alone {
		command = "mapstack run"
	}
	for _, o := range append(options, more...) {
		name := o.name
		if flags {
			name = strings.ToLower(name)
		}
		command += fmt.Sprintf(form, name, o.value)
	}
	return command
}

// fewClaims is how many claims with one reason are named; more of them are a
// whole cell's, and the JSON report has the list.
const fewClaims = 10

func alike(a, b verdict.Outcome) bool {
	return a.Cell == b.Cell && a.Status == b.Status && a.Reason == b.Reason
}

func (r Report) reportedBefore(i int) bool {
	for _, earlier := range r.Outcomes[:i] {
		if alike(earlier, r.Outcomes[i]) {
			return true
		}
	}
	return false
}

func (r Report) sameProblem(o verdict.Outcome) []string {
	var ids []string
	for _, other := range r.Outcomes {
		if alike(o, other) {
			ids = append(ids, other.Claim)
		}
	}
	return ids
}
