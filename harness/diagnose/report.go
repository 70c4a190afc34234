package diagnose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/fatal"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/language"
)

// Schema is the version of Report as JSON.
const Schema = 2

// Report is one diagnosis.
type Report struct {
	Schema  int     `json:"schema"`
	Program Program `json:"program"`
	// Verdict is one of these:
	//   - refused: something was refused, or the kernel ended a thread or process
	//   - recovered: a later call succeeded, and the program did not fail
	//   - exhausted: nothing was refused, but a limit is used up
	//   - fine: nothing was refused
	//   - unknown: nothing could be watched and nothing was said, or the program
	//     stands still
	Verdict string      `json:"verdict"`
	Failure *Failure    `json:"failure,omitempty"`
	Death   *Death      `json:"death,omitempty"`
	Said    *fatal.Text `json:"said,omitempty"`
	// Suspected reports that the program failed, and that it is not known whether it
	// did so for the failure.
	Suspected bool    `json:"suspected,omitempty"`
	Causes    []Cause `json:"causes,omitempty"`
	// Others are what else went wrong, in its order.
	Others []Other `json:"others,omitempty"`
	// Gaps are what was not watched, or was changed by the watch.
	Gaps []Gap `json:"gaps,omitempty"`
	// Needs says why the program could not be traced, and what would allow it.
	Needs []Text `json:"needs,omitempty"`
	// See are commands of other tools that show the call.
	See         []string       `json:"see,omitempty"`
	Explanation Text           `json:"explanation"`
	State       *census.Census `json:"state,omitempty"`
	// Again reports that the same refusal was told before, while the program ran. It
	// shortens the paragraph.
	Again bool `json:"again,omitempty"`

	partly bool // not everything that was started was watched
}

// Other is a refusal or a death that is not the one a report is about.
type Other struct {
	Failure *Failure `json:"failure,omitempty"`
	Death   *Death   `json:"death,omitempty"`
}

// Program is what was watched.
type Program struct {
	PID     int      `json:"pid,omitempty"`
	Command []string `json:"command,omitempty"`
	// State is "running", "exited", "signaled" or "unstarted". Status is the exit status
	// or the number of the signal.
	State  string `json:"state"`
	Status int    `json:"status"`
}

func programOf(pid int, command []string, status syscall.WaitStatus, ended bool) Program {
	p := Program{PID: pid, Command: command, State: "running"}
	switch {
	case !ended:
	case status.Signaled():
		p.State, p.Status = "signaled", int(status.Signal())
	default:
		p.State, p.Status = "exited", status.ExitStatus()
	}
	return p
}

// Write writes the report as a paragraph and its commands, or as JSON on one line. No
// character of another program reaches a terminal as it is.
func (r Report) Write(w io.Writer, language language.Language, asJSON bool) error {
	if asJSON {
		return r.writeJSON(w)
	}
	var b strings.Builder
	line := func(indent, text string) { fmt.Fprintf(&b, "%s%s\n", indent, foreign.Text(text)) }
	if r.Again {
		line("mapstack: ", r.ending().and(say("See above for why.", "原因见上文。")).In(language))
		_, err := io.WriteString(w, b.String())
		return err
	}
	line("mapstack: ", r.Explanation.In(language))
	for _, c := range r.Causes {
		for _, remedy := range c.Raise {
			line("  ", remedy.In(language))
		}
	}
	for _, n := range r.Needs {
		line("  ", n.In(language))
	}
	if len(r.See) > 0 {
		line("", say("To see the call with other tools:", "用其他工具查看该调用：").In(language))
		for _, s := range r.See {
			line("  ", s)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeJSON writes one line, so that a report can be found among what else is written
// to the same stream.
func (r Report) writeJSON(w io.Writer) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}
	_, err := w.Write(foreign.JSON(b.Bytes()))
	return err
}
