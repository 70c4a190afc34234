package summary

import (
	"regexp"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/report"
)

// option is a flag of a run, by its name. make has some of them as variables.
type option struct {
	name, value string
	blank       bool // the value is for a reader to replace, and is not quoted for a shell
}

// variables are the flags that make has as variables with the name in capitals.
var variables = []string{"allow-twin", "arch", "cell", "defect", "destructive", "focus", "fresh", "guest-agent", "kernel", "locked", "offline", "os", "os-image", "strict", "target"}

// word returns the value as a word of a shell's command line. make would expand a dollar.
func (o option) word(flag bool) string {
	switch {
	case o.blank:
		return o.value
	case flag:
		return foreign.Shell(o.value)
	}
	return foreign.Shell(strings.ReplaceAll(o.value, "$", "$$"))
}

// text returns the option as a flag, or as a variable of make.
func (o option) text(flag bool) string {
	switch {
	case !flag && o.value == "":
		return " " + variable(o.name) + "=1"
	case !flag:
		return " " + variable(o.name) + "=" + o.word(false)
	case o.value == "":
		return " --" + o.name
	case strings.HasPrefix(o.value, "-") && !o.blank:
		return " --" + o.name + "=" + o.word(true)
	}
	return " --" + o.name + " " + o.word(true)
}

func variable(flag string) string { return strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) }

// Repeat returns the command that runs a cell again, for one claim alone.
func Repeat(r report.Report, cell, claim string) string {
	return repeat(r, cell, append([]option{{name: "focus", value: claim}}, injected(r)...))
}

// injected names the defect of a run; it is nothing for none.
func injected(r report.Report) []option {
	if r.Defect == nil {
		return nil
	}
	return []option{{name: "defect", value: r.Defect.Name}}
}

// repeat returns the command that runs a cell again, with the flags that the run was given. A
// report names neither the address that ssh connected to nor the folder of a file that the user
// supplied.
func repeat(r report.Report, cell string, more []option) string {
	command, flags := "make conformance", r.Header.Tool.Standalone
	options := []option{{name: "cell", value: cell}}
	for _, c := range r.Cells {
		switch {
		case c.Name != cell:
		case c.Matrix != "":
			flags, options = true, []option{{name: "matrix", value: c.Matrix}, {name: "cell", value: cell}}
		case c.System != "":
			options = []option{{name: "os", value: c.System}}
		case c.Target == "full-boot":
			flags, options = true, []option{{name: "os-image", value: c.Kernel.Provenance.Filename}, {name: "full-boot"}, {"login", "...", true}}
		case c.Kernel.Provenance.Kind == "file" && c.Tier == "":
			flags, options = true, []option{{name: "kernel", value: c.Kernel.Provenance.Filename}}
			if given(r, "os-image") && !given(r, "kernel") {
				flags, options[0].name = r.Header.Tool.Standalone, "os-image"
			}
		case c.Target == "ssh":
			options = []option{{"target", "ssh://...", true}}
		case c.Target == "user":
			options = []option{{name: "target", value: c.Target}, {name: "arch", value: c.Arch}}
		case c.Target != "":
			options = []option{{name: "target", value: c.Target}}
		}
	}
	options = append(options, more...)
	options = append(options, asGiven(r, options)...)
	flags = flags || slices.ContainsFunc(options, func(o option) bool { return !slices.Contains(variables, o.name) })
	if flags {
		command = "bin/mapstack run"
	}
	if r.Header.Tool.Standalone {
		command = "mapstack run"
	}
	for _, o := range options {
		command += o.text(flags)
	}
	return command
}

// given reports whether a run was given a flag.
func given(r report.Report, name string) bool {
	return slices.ContainsFunc(r.Header.Flags, func(f report.Flag) bool { return f.Name == name })
}

// flagName matches the names of flags. A report may be anybody's.
var flagName = regexp.MustCompile(`^[a-z][a-z-]{0,30}$`)

// asGiven returns the flags that a run was given, without those that are there already.
func asGiven(r report.Report, there []option) (all []option) {
	for _, f := range r.Header.Flags {
		has := slices.ContainsFunc(there, func(o option) bool { return o.name == f.Name })
		// An image with a kernel has the kernel's settings; alone it is the kernel.
		if has || !flagName.MatchString(f.Name) || f.Name == "kernel" {
			continue
		}
		o := option{name: f.Name, value: f.Value}
		if f.Hidden {
			o.value, o.blank = "...", true
			if name, _, pair := strings.Cut(f.Value, "="); pair {
				o.value = foreign.Shell(name) + "=..."
			}
		}
		all = append(all, o)
	}
	return all
}
