package diagnose

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/fatal"
)

// Schema is the version of Report as JSON.
const Schema = 1

// Report is one diagnosis.
type Report struct {
	Schema  int     `json:"schema"`
	Program Program `json:"program"`
	// Verdict is "refused", "recovered", "fine", or "unknown" when nothing could
	// be watched and nothing was said.
	Verdict string      `json:"verdict"`
	Failure *Failure    `json:"failure,omitempty"`
	Said    *fatal.Text `json:"said,omitempty"`
	Causes  []Cause     `json:"causes,omitempty"`
	// Needs says why the program could not be traced, and what would allow it.
	Needs []Text `json:"needs,omitempty"`
	// See are commands of other tools that show the call.
	See         []string       `json:"see,omitempty"`
	Explanation Text           `json:"explanation"`
	State       *census.Census `json:"state,omitempty"`
}

// Program is what was watched.
type Program struct {
	PID     int      `json:"pid,omitempty"`
	Command []string `json:"command,omitempty"`
	// State is "running", "exited" or "signaled". Status is the exit status or the
	// number of the signal.
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

// Write writes the report as a paragraph and its commands, or as JSON.
func (r Report) Write(w io.Writer, language Language, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	var b strings.Builder
	fmt.Fprintln(&b, "mapstack:", r.Explanation.In(language))
	for _, c := range r.Causes {
		for _, remedy := range c.Raise {
			fmt.Fprintf(&b, "  %s    # %s\n", remedy.Command, remedy.When.In(language))
		}
	}
	for _, n := range r.Needs {
		fmt.Fprintf(&b, "  %s\n", n.In(language))
	}
	if len(r.See) > 0 {
		fmt.Fprintf(&b, "%s\n", say("To see the call with other tools:", "用其他工具查看该调用：").In(language))
		for _, s := range r.See {
			fmt.Fprintf(&b, "  %s\n", s)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
