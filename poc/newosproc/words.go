package newosproc

import (
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
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
	err         error
}

// emit records a program's output and how it ended.
func (s words) emit(p *probe.P, before string) {
	_, err := os.Stdout.Write(s.steps) // observations of the program itself
	limit.Must(err)
	o := p.Observe(before + "end")
	defer o.Emit()
	if s.err != nil {
		o.Unknown("exit", s.err.Error())
		return
	}
	o.Set("hung", s.hung)
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

// ends holds both ends of a pipe.
type ends struct{ r, w *os.File }

func pipe() ends {
	r, w, err := os.Pipe()
	limit.Must(err)
	return ends{r, w}
}

// drain reads to the end and returns the first bytes. heard is called whenever some
// have come.
func (e ends) drain(most int, heard func()) chan []byte {
	all := make(chan []byte, 1)
	kept, buffer := make([]byte, 0, most), make([]byte, 4096) // allocated now, because there may be no memory later
	go func() {
		for {
			n, err := e.r.Read(buffer)
			if n > 0 {
				heard()
			}
			if left := most - len(kept); n > left {
				n = left
			}
			kept = append(kept, buffer[:n]...)
			if err != nil {
				if err != io.EOF {
					kept = append(kept, err.Error()...)
				}
				break
			}
		}
		e.r.Close()
		all <- kept
	}()
	return all
}
