package summary

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// problems lists the outcomes that are neither pass nor unsupported. Outcomes of
// one cell with the same status and reason share an entry: otherwise a cell that
// did not boot would print the end of its console once per claim.
func problems(r report.Report) string {
	sentence := map[string]string{}
	for _, c := range r.Claims {
		sentence[c.ID] = c.English
	}
	var b strings.Builder
	for i := 0; i < len(r.Outcomes); i++ {
		o := r.Outcomes[i]
		if o.Status == verdict.Pass || o.Status == verdict.Unsupported || reportedBefore(r, i) {
			continue
		}
		fmt.Fprintf(&b, "\n%s  %s  ", heading(o), o.Cell)
		var more []option
		switch ids := sameProblem(r, o); {
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
		if (o.Known != verdict.Known{}) {
			fmt.Fprintf(&b, "    known: %s (%s)\n", o.Known.Reason, strings.Join(terms(o.Known), ", "))
		}
		b.WriteString("    again: " + repeat(r, o.Cell, more) + "\n")
	}
	return b.String()
}

// heading names the status of an outcome.
func heading(o verdict.Outcome) string {
	if o.AsKnown() {
		return "FAIL, AS KNOWN"
	}
	return strings.ToUpper(string(o.Status))
}

// terms lists where a record points to, who looks after it, and when it ends.
func terms(k verdict.Known) []string {
	all := []string{k.Link}
	for _, t := range []struct{ before, value string }{{"owner ", k.Owner}, {"until ", k.Until}, {"fixed in ", k.FixedIn}, {"over: ", k.Over}} {
		if t.value != "" {
			all = append(all, t.before+t.value)
		}
	}
	return all
}

// records lists the records of known failures that must go, with what to do about each.
func records(r report.Report) string {
	var b strings.Builder
	for _, o := range r.Outcomes {
		switch {
		case o.Stale():
			fmt.Fprintf(&b, "\nSTALE  %s  %s\n    %s.\n", o.Cell, o.Claim, o.Advice())
		case o.Ended():
			fmt.Fprintf(&b, "\nOVER  %s  %s\n    %s.\n", o.Cell, o.Claim, o.Advice())
		}
	}
	return b.String()
}

// option narrows a run. It is a variable of make, or a flag with the same name.
type option struct{ name, value string }

// repeat returns the command that runs a cell again. A report names neither the
// address that ssh connected to nor the folder of a file that the user supplied.
func repeat(r report.Report, cell string, more []option) string {
	command, flags := "make conformance", r.Header.Tool.Standalone
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
	if r.Header.Tool.Standalone {
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

// fewClaims is the most claims that an entry names. More of them are usually those
// of a whole cell, and the JSON report lists them.
const fewClaims = 10

// alike reports whether two outcomes share an entry.
func alike(a, b verdict.Outcome) bool {
	return a.Cell == b.Cell && a.Status == b.Status && a.Reason == b.Reason && a.Known == b.Known
}

func reportedBefore(r report.Report, i int) bool {
	for _, earlier := range r.Outcomes[:i] {
		if alike(earlier, r.Outcomes[i]) {
			return true
		}
	}
	return false
}

func sameProblem(r report.Report, o verdict.Outcome) []string {
	var ids []string
	for _, other := range r.Outcomes {
		if alike(o, other) {
			ids = append(ids, other.Claim)
		}
	}
	return ids
}
