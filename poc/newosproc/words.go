package newosproc

import (
	"bytes"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/wire"
)

const (
	// maxSteps and maxText bound what is kept of a program's output, in bytes.
	maxSteps, maxText = 64 << 10, 16 << 10
	// maxShown bounds the observed part of its stderr. It is long enough for every
	// line of the runtime's reason.
	maxShown = 1 << 10
)

// words holds a program's output and how it ended.
type words struct {
	steps, text []byte
	status      syscall.WaitStatus
	hung        bool
	how         string // how that was decided
	err         error
}

// emit records a program's output and how it ended. The name of each step gets a prefix.
func (s words) emit(p *probe.P, before string) {
	const longest, all = 16 << 10, 64 // in bytes, and the number of observations
	lost := wire.ReadObservations(bytes.NewReader(s.steps), longest, all, func(sub wire.Observation) { p.Pass(before, sub) })
	o := p.Observe(before + "end")
	defer o.Emit()
	if s.err != nil {
		o.Unknown("exit", s.err.Error())
		return
	}
	o.Set("hung", s.hung)
	if s.hung {
		o.Set("decided", s.how)
	}
	if lost > 0 {
		o.Set("dropped", lost)
	}
	if s.status.Signaled() {
		o.Set("signal", s.status.Signal().String())
	} else {
		o.Set("exit", s.status.ExitStatus())
	}
	text := s.text
	if i := bytes.Index(text, []byte("\nruntime stack:\n")); i >= 0 {
		o.Set("frames", frames(string(text[i:])))
		text = text[:i]
	}
	o.Set("bytes", len(text))
	if len(text) > maxShown {
		text = text[:maxShown]
	}
	o.Set("text", string(text))
}

// frames returns the functions of the runtime's stack from a traceback of the
// runtime, the innermost first.
func frames(traceback string) string {
	var names []string
	lines := strings.Split(strings.TrimSpace(traceback), "\n")
	for _, line := range lines[1:] {
		if line == "" {
			break
		}
		if i := strings.LastIndexByte(line, '('); i > 0 && line[0] != '\t' {
			names = append(names, line[:i])
		}
	}
	return strings.Join(names, " ")
}
