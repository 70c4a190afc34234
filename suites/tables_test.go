package suites

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// TestTablesOfTheRuntime fails if fixtures/goruntime.md differs from what became of
// Go programs on the recorded kernels. With -update it writes the page.
func TestTablesOfTheRuntime(t *testing.T) {
	_, recorded, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	// Programs of gccgo have another runtime, which the tables leave out. A cell with
	// a focus of its own ran no such programs.
	recorded = slices.DeleteFunc(recorded, func(c evidence.CellRun) bool {
		table, _ := abi.Lookup(c.Cell.Arch)
		return table.Lacks(abi.GoPort) != "" || c.Cell.Focus != ""
	})
	slices.SortFunc(recorded, func(a, b evidence.CellRun) int { return cmp.Compare(a.Cell.Name, b.Cell.Name) })
	var b strings.Builder
	b.WriteString("# What becomes of Go programs\n\n" +
		"Written by `go test ./suites -run TablesOfTheRuntime -update` from fixtures/recorded; do not edit.\n\n" +
		"## Without threads\n\nBy cause: the kernel's answer to clone and how often it was asked; the errno in the runtime's text, with\n" +
		"`ulimit -u` where it has that hint; the exit status. `stock` is RLIMIT_NPROC with the stock runtime where the\nother columns have a mended one.\n\n")
	causes := []string{"nproc", "pids", "nested", "threads-max", "pid_max", "seccomp EAGAIN", "seccomp ENOMEM", "seccomp EPERM",
		"seccomp EINVAL", "seccomp ENOSYS", "seccomp EOPNOTSUPP", "as", "max_map_count", "memory", "stock"}
	row(&b, append([]string{"cell"}, causes...)...)
	row(&b, slices.Repeat([]string{"---"}, len(causes)+1)...)
	for _, c := range recorded {
		cols := []string{c.Cell.Name}
		steps := byStep(c.Transcripts["newosproc"])
		for _, cause := range causes {
			cols = append(cols, ended(steps, cause))
		}
		row(&b, cols...)
	}
	b.WriteString("\n## With MAP_STACK\n\nBy defect: what the threads' stacks are, or how the program died; what the detector says.\n\n")
	defects := []string{"none", "stack-eperm", "stack-einval", "stack-eopnotsupp", "stack-enomem", "stack-read-only"}
	row(&b, append([]string{"cell", "runtime"}, defects...)...)
	row(&b, slices.Repeat([]string{"---"}, len(defects)+2)...)
	for _, c := range recorded {
		steps := byStep(c.Transcripts["variants"])
		for _, runtime := range []string{"stock", "strict", "fallback", "detector"} {
			cols := []string{c.Cell.Name, runtime}
			for _, defect := range defects {
				cols = append(cols, stood(steps, defect+"."+runtime))
			}
			row(&b, cols...)
		}
	}
	golden(t, "../fixtures/goruntime.md", b.String())
}

func row(b *strings.Builder, cols ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cols, " | ")) }

func byStep(t wire.Transcript) map[string]wire.Observation {
	steps := map[string]wire.Observation{}
	for _, o := range t.Observations {
		steps[o.Step] = o
	}
	return steps
}

var saidErrno = regexp.MustCompile(`errno=(\d+)\)`)

// said returns the errno in the runtime's text, or else the text's first line
// without its numbers.
func said(text string) string {
	if m := saidErrno.FindStringSubmatch(text); m != nil {
		if strings.Contains(text, "ulimit -u") {
			return "errno=" + m[1] + ", ulimit -u"
		}
		return "errno=" + m[1]
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(regexp.MustCompile(`\(?[0-9].*`).ReplaceAllString(line, ""))
}

// ended returns what became of a program of newosproc.
func ended(steps map[string]wire.Observation, cause string) string {
	end, ran := steps[cause+".end"]
	if !ran {
		return ""
	}
	var parts []string
	if c := steps[cause+".clone"]; c.Error != "" {
		times := c.Values["refused"] + " times"
		if c.Values["refused"] == "1" {
			times = "once"
		}
		parts = append(parts, fmt.Sprintf("%s (%d) %s", c.Error, c.Errno, times))
	}
	if end.Values["hung"] == "true" {
		return strings.Join(append(parts, "hangs"), "; ")
	}
	if text := said(end.Values["text"]); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(append(parts, end.Values["signal"]+end.Values["exit"]), "; ")
}

// stood returns what became of a program of variants.
func stood(steps map[string]wire.Observation, step string) string {
	if d, asked := steps[step+".detect"]; asked {
		return d.Values["answer"] + ": " + d.Values["finding"]
	}
	end, stacks := steps[step].Values, steps[step+".generation 0"].Values
	switch {
	case end["exit"] != "0":
		return said(end["stderr"]) + "; " + end["signal"] + end["exit"]
	case stacks["mappings"] == stacks["found"] && stacks["guarded"] == stacks["found"]:
		return "mapped, guarded"
	case stacks["mappings"] == "1" || stacks["mappings"] == "2":
		return "heap"
	}
	return fmt.Sprintf("%s mappings for %s threads", stacks["mappings"], stacks["found"])
}
