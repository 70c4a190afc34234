package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"reflect"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// maxFile is the largest evidence file that is read, in bytes. Evidence also comes
// from vendors, and must not exhaust the memory of the reader.
const maxFile = 64 << 20

// maxReport is the largest report that is read, in bytes. A cell makes about 200 KB of it, so
// that it holds some thousands of them.
const maxReport = 1 << 30

// maxCells bounds the cells of a run: many times the matrix.
const maxCells = 10_000

// Open opens the folder of a run. Nothing outside of the folder can be reached through it,
// also not by links. The caller must close it.
func Open(folder string) (*os.Root, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	return root, nil
}

// Load reads the evidence of a finished run from a folder.
func Load(folder string) (Run, []CellRun, error) {
	root, err := Open(folder)
	if err != nil {
		return Run{}, nil, err
	}
	defer root.Close()
	run, cells, err := LoadFS(root.FS())
	if err != nil {
		return run, nil, fmt.Errorf("read evidence in %s: %w", folder, err)
	}
	return run, cells, nil
}

// LoadFS reads the evidence of a finished run. A cell of run.json without a folder
// has a Failure that says so.
func LoadFS(dir fs.FS) (Run, []CellRun, error) {
	var run Run
	switch err := read(dir, runFile, &run); {
	case errors.Is(err, fs.ErrNotExist):
		return run, nil, fmt.Errorf("%w; give the folder of one run, such as out/20260131-235959", err)
	case err != nil:
		return run, nil, err
	}
	if run.Schema != Schema {
		return run, nil, fmt.Errorf("schema %q, this tool reads %q; use the revision that wrote it", run.Schema, Schema)
	}
	if len(run.Cells) > maxCells {
		return run, nil, fmt.Errorf("run.json names %d cells, more than the %d that are read", len(run.Cells), maxCells)
	}
	if _, err := run.Known(); err != nil {
		return run, nil, fmt.Errorf("run.json: %w", err)
	}
	if _, err := run.Deviations(); err != nil {
		return run, nil, fmt.Errorf("run.json: %w", err)
	}
	var cells []CellRun
	seen := map[string]bool{}
	for _, c := range run.Cells {
		if seen[c.Name] {
			return run, nil, fmt.Errorf("run.json names cell %q twice, which would count its claims twice", c.Name)
		}
		seen[c.Name] = true
		cell, err := load(dir, c)
		if err != nil {
			return run, nil, err
		}
		if err := honest(run, cell); err != nil {
			return run, nil, err
		}
		cells = append(cells, cell)
	}
	return run, cells, nil
}

// honest refuses a cell with a transcript of an injected defect that run.json does
// not name.
func honest(run Run, cell CellRun) error {
	for probe, t := range cell.Transcripts {
		if t.Defect != "" && t.Defect != run.Defect {
			return fmt.Errorf("cell %s: probe %s ran with the injected defect %q and run.json says %q",
				cell.Cell.Name, probe, t.Defect, run.Defect)
		}
	}
	return nil
}

func load(dir fs.FS, asked matrix.Cell) (CellRun, error) {
	c := CellRun{Transcripts: map[string]wire.Transcript{}}
	if !matrix.ValidName(asked.Name) {
		return c, fmt.Errorf("a cell is named %.80q, and names have small letters, digits, dots and hyphens", asked.Name)
	}
	file, part := path.Join("cells", asked.Name, cellFile), false
	err := read(dir, file, &c)
	if errors.Is(err, fs.ErrNotExist) {
		file, part = path.Join("cells", asked.Name, partFile), true
		err = read(dir, file, &c)
	}
	killed := &failure.Failure{Kind: failure.Interrupted, Message: "the run ended before this cell did"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Cell, c.Failure = asked, killed
		return c, nil
	case err != nil:
		return c, err
	case c.Schema != Schema || !reflect.DeepEqual(c.Cell, asked):
		return c, fmt.Errorf("%s: not the cell that run.json asked for", file)
	}
	if part {
		c.Failure = killed
	}
	files, err := fs.Glob(dir, path.Join("cells", asked.Name, "transcripts", "*.json"))
	if err != nil {
		return c, err
	}
	for _, file := range files {
		var t wire.Transcript
		if err := read(dir, file, &t); err != nil {
			return c, err
		}
		if t.Probe+".json" != path.Base(file) {
			return c, fmt.Errorf("%s: holds a transcript of probe %q", file, t.Probe)
		}
		if r, ran := c.Runs[t.Probe]; part && t.Probe != stage0.Probe && (!ran || r.Failure != nil) {
			continue // the run was killed between this file and the one that names it
		}
		c.Transcripts[t.Probe] = t
	}
	return c, nil
}

// ReadFile reads a file of a run's folder, of at most maxFile bytes. It opens no pipe, which
// might never be written to.
func ReadFile(dir fs.FS, name string) ([]byte, error) { return readAtMost(dir, name, maxFile) }

// ReadReport reads a report as ReadFile does. It may have maxReport bytes: a run of many cells has
// one report.
func ReadReport(dir fs.FS, name string) ([]byte, error) { return readAtMost(dir, name, maxReport) }

func readAtMost(dir fs.FS, name string, most int64) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	if info.Size() > most {
		return nil, larger(name, most)
	}
	file, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(b)) > most { // it has grown
		err = larger(name, most)
	}
	return b, err
}

func larger(name string, most int64) error {
	return fmt.Errorf("%s is larger than %d MiB", name, most>>20)
}

func read(dir fs.FS, name string, into any) error {
	b, err := ReadFile(dir, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
