package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/poc/wire"
)

// Names of a run's files.
const (
	runFile    = "run.json"
	cellFile   = "cell.json" // in the folder of a cell that has ended, or was stopped
	partFile   = "part.json" // in the folder of a cell that has not
	resumeFile = "resume.json"
)

// Folder is the evidence of one run.
type Folder struct {
	path string
	// journal notes the cells that have ended; nil for a run that nobody can go on with.
	journal *journal
}

// Create makes the folder of a new run below out. Its name is the time.
func Create(out string, started time.Time) (Folder, error) {
	base := filepath.Join(out, started.UTC().Format("20060102-150405"))
	dir := base
	for i := 2; ; i++ {
		err := os.MkdirAll(filepath.Dir(dir), 0o755)
		if err == nil {
			err = os.Mkdir(dir, 0o755)
		}
		if err == nil {
			return Folder{path: dir}, nil
		}
		if !errors.Is(err, fs.ErrExist) || i > 1000 {
			return Folder{}, fmt.Errorf("create the folder of this run: %w; give another one with --out", err)
		}
		dir = fmt.Sprintf("%s-%d", base, i)
	}
}

// Path returns the path of the folder.
func (f Folder) Path() string { return f.path }

// cell returns the path of a cell's folder.
func (f Folder) cell(name string) string { return filepath.Join(f.path, "cells", name) }

// Transcript returns the path of a probe's transcript in the folder of a run.
func Transcript(cell, probe string) string {
	return path.Join("cells", cell, "transcripts", probe+".json")
}

// BootConsole names the console log of the guest that was booted for the cell.
const BootConsole = "boot"

// Console opens a console log of a cell, and creates it unless there is one. name is
// BootConsole, or a probe. A guest that is asked again speaks after the one before it.
func (f Folder) Console(cell, name string) (*os.File, error) {
	dir := filepath.Join(f.cell(cell), "console")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, unwritten(err)
	}
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, unwritten(err)
	}
	return log, nil
}

// WriteRun writes run.json.
func (f Folder) WriteRun(r Run) error {
	r.Schema = Schema
	return write(filepath.Join(f.path, runFile), r)
}

// WriteCell writes everything known of a cell that has ended, or was stopped.
func (f Folder) WriteCell(c CellRun) error {
	c.Schema = Schema
	dir := f.cell(c.Cell.Name)
	if err := f.writeTranscripts(c.Cell.Name, c.Transcripts); err != nil {
		return err
	}
	if c.QEMU != nil && len(c.QEMU.Argv) > 0 {
		line := foreign.Shell(c.QEMU.Argv...) + "\n"
		if err := os.WriteFile(filepath.Join(dir, "qemu.txt"), []byte(line), 0o644); err != nil {
			return unwritten(err)
		}
	}
	// It is written last, because its presence says that the rest is complete.
	if err := write(filepath.Join(dir, cellFile), c); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, partFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unwritten(err)
	}
	if f.journal == nil || !c.Ended() {
		return nil
	}
	return f.journal.note(c.Cell.Name)
}

// WritePart writes what is known of a cell so far. A run that is killed before the cell ends
// leaves it. Of its transcripts only those of the given probes are written: the others were
// before.
func (f Folder) WritePart(c CellRun, transcripts map[string]wire.Transcript) error {
	c.Schema = Schema
	if err := f.writeTranscripts(c.Cell.Name, transcripts); err != nil {
		return err
	}
	// It is written last, because it names the probe runs whose transcripts are complete.
	return write(filepath.Join(f.cell(c.Cell.Name), partFile), c)
}

// writeTranscripts writes transcripts of a cell.
func (f Folder) writeTranscripts(cell string, transcripts map[string]wire.Transcript) error {
	if err := os.MkdirAll(filepath.Join(f.cell(cell), "transcripts"), 0o755); err != nil {
		return unwritten(err)
	}
	for probe, t := range transcripts {
		if err := write(filepath.Join(f.path, Transcript(cell, probe)), t); err != nil {
			return err
		}
	}
	return nil
}

// Adopt copies the evidence of a cell from the folder of another run.
func (f Folder) Adopt(from fs.FS, cell string) error {
	return fs.WalkDir(from, path.Join("cells", cell), func(name string, d fs.DirEntry, err error) error {
		to := filepath.Join(f.path, filepath.FromSlash(name))
		switch {
		case err != nil:
			return fmt.Errorf("read evidence: %w", err)
		case d.IsDir():
			if err := os.MkdirAll(to, 0o755); err != nil {
				return unwritten(err)
			}
			return nil
		}
		b, err := ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("read evidence: %w", err)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return unwritten(err)
		}
		return nil
	})
}

// Keep replaces the run in path by a finished one. It leaves out what no claim needs
// and what describes the host: logs, command lines, and warnings, which name mirrors.
func Keep(path string, r Run, cells []CellRun) error {
	f := Folder{path: path}
	if err := os.RemoveAll(filepath.Join(path, "cells")); err != nil {
		return unwritten(err)
	}
	for _, c := range cells {
		if c.QEMU != nil {
			q := *c.QEMU
			q.Argv, c.QEMU = nil, &q
		}
		if err := f.WriteCell(c); err != nil {
			return err
		}
	}
	r.Warnings = nil
	return f.WriteRun(r)
}

func write(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// Without a folder, renameio would test for each file which folder it can use.
	here := renameio.WithTempDir(filepath.Dir(path))
	if err := renameio.WriteFile(path, append(foreign.JSON(b), '\n'), 0o644, here); err != nil {
		return unwritten(err)
	}
	return nil
}

// unwritten says what to do when evidence cannot be written. err names the file.
func unwritten(err error) error {
	return fmt.Errorf("write the evidence: %w; make room or get write access there, or give another folder with --out", err)
}
