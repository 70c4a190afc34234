// Package watch remembers which kernel each cell had when it was last run, and says which cells
// have another one now.
package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/matrix"
)

// Schema is the version of a state file. It changes when a field changes its meaning.
const Schema = "1"

// maxState bounds a state file, in bytes, and maxCells the cells in it.
const (
	maxState = 16 << 20
	maxCells = 10_000
)

// Last is what a cell had when it was last run.
type Last struct {
	Kernel string `json:"kernel"` // the identity of its kernel
	Run    string `json:"run"`    // the folder of the run; in the file below the folder of that file, if it can be
}

// State is what is remembered of each cell, by its name.
type State struct {
	Schema string          `json:"schema"`
	Cells  map[string]Last `json:"cells"`

	file string
	lock *os.File
}

// Open reads a state file, and keeps others from it until Close. A file that is not there is a
// state that remembers nothing.
func Open(file string) (*State, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the state file %s: %w; name another file with --state", file, err)
	}
	// The file itself is replaced, so that a lock on it would not last.
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the state file %s: %w; name another file with --state", file, err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another mapstack watch is at work with the state file %s; wait until it has ended, or name another file with --state", file)
		}
		return nil, fmt.Errorf("lock the state file %s: %w", file, err)
	}
	s, err := read(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the state file %s: %w", file, err), lock.Close())
	}
	s.file, s.lock = file, lock
	return s, nil
}

func read(file string) (*State, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &State{Schema: Schema, Cells: map[string]Last{}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return nil, err
	}
	s, err := Parse(b)
	if err != nil {
		return nil, err
	}
	for name, last := range s.Cells {
		if !filepath.IsAbs(last.Run) {
			last.Run = filepath.Join(filepath.Dir(file), last.Run)
		}
		s.Cells[name] = last
	}
	return s, nil
}

// Parse reads the text of a state file.
func Parse(text []byte) (*State, error) {
	if len(text) > maxState {
		return nil, fmt.Errorf("it is larger than %d MiB, and no state file; remove it to begin anew", maxState>>20)
	}
	var s State
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("it is damaged: %w; remove it to begin anew, and every cell runs again", err)
	}
	if s.Schema != Schema {
		return nil, fmt.Errorf("its schema is %.20q, and this mapstack knows %q; use the mapstack that wrote it, or remove the file to begin anew", s.Schema, Schema)
	}
	if len(s.Cells) > maxCells {
		return nil, fmt.Errorf("it has %d cells, more than the %d that are read; remove it to begin anew", len(s.Cells), maxCells)
	}
	for name, last := range s.Cells {
		if !matrix.ValidName(name) || last.Kernel == "" || last.Run == "" {
			return nil, fmt.Errorf("its cell %.80q has no valid name, no kernel or no run; remove the cell from the file, or the file", name)
		}
	}
	if s.Cells == nil {
		s.Cells = map[string]Last{}
	}
	return &s, nil
}

// Change is a cell whose kernel is another one than when it was last run.
type Change struct {
	Cell    string
	Was, Is string // the kernels; Was is empty for a cell that was not run before
}

// Changed returns the cells that have another kernel now, sorted by name. now has the identities
// of the kernels by cell.
func (s *State) Changed(now map[string]string) (all []Change) {
	for cell, kernel := range now {
		if was := s.Cells[cell].Kernel; was != kernel {
			all = append(all, Change{cell, was, kernel})
		}
	}
	slices.SortFunc(all, func(a, b Change) int {
		if a.Cell < b.Cell {
			return -1
		}
		return 1
	})
	return all
}

// Remember notes that a cell was run with a kernel, in the folder of a run.
func (s *State) Remember(cell, kernel, run string) { s.Cells[cell] = Last{kernel, run} }

// Save writes the state. Folders of runs are written as they are seen from the file, so that both
// can be moved together.
func (s *State) Save() error {
	dir, err := filepath.Abs(filepath.Dir(s.file))
	if err != nil {
		return fmt.Errorf("write the state file: %w", err)
	}
	to := State{Schema: Schema, Cells: map[string]Last{}}
	for cell, last := range s.Cells {
		run, err := filepath.Abs(last.Run)
		if err != nil {
			return fmt.Errorf("write the state file: %w", err)
		}
		if below, err := filepath.Rel(dir, run); err == nil && filepath.IsLocal(below) {
			run = below
		}
		to.Cells[cell] = Last{last.Kernel, run}
	}
	text, err := json.MarshalIndent(to, "", "  ")
	if err != nil {
		return fmt.Errorf("write the state file: %w", err)
	}
	if err := renameio.WriteFile(s.file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the state file: %w; make room or get write access there, or the next pass runs the same cells again", err)
	}
	return nil
}

// Close lets others use the state file.
func (s *State) Close() error { return s.lock.Close() }
