package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/stage0"
)

// Interrupted is a run that ended before all of its cells did.
type Interrupted struct {
	Folder Folder
	Run    Run
	// Cells has the evidence of every cell of the run. Of a cell that has not ended it has the
	// probe runs that have.
	Cells []CellRun
	Flags map[string][]string // that the run was started with, by name
}

// Reopen reads an interrupted run, to go on with it in the same folder. It refuses evidence
// that was changed since. The caller must close the folder.
func Reopen(folder string) (i Interrupted, err error) {
	held, err := hold(folder)
	if err != nil {
		return i, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, held.Close())
		}
	}()
	root, err := Open(folder)
	if err != nil {
		return i, err
	}
	defer root.Close()
	if _, err := Digest(root.FS()); err != nil { // nothing but files can be written to
		return i, fmt.Errorf("%s: %w", folder, err)
	}
	r, err := readRecord(root.FS())
	if errors.Is(err, fs.ErrNotExist) {
		return i, fmt.Errorf("%s has no %s, so that nobody can go on with it: give the folder of an interrupted run, such as out/20260131-235959", folder, resumeFile)
	}
	if err != nil {
		return i, fmt.Errorf("read evidence in %s: %w", folder, err)
	}
	i.Flags = r.Flags
	if i.Run, i.Cells, err = LoadFS(root.FS()); err != nil {
		return i, fmt.Errorf("read evidence in %s: %w", folder, err)
	}
	if _, err := Replay(root.FS(), i.Cells); err != nil {
		return i, fmt.Errorf("%s: %w", folder, err)
	}
	ended, err := unaltered(root.FS(), r.Ended, i.Cells)
	if err != nil {
		return i, fmt.Errorf("%s: %w", folder, err)
	}
	i.Folder = Folder{path: folder, journal: &journal{folder: folder, held: held, record: record{Schema: Schema, Flags: r.Flags, Ended: ended}}}
	return i, nil
}

// readRecord reads resume.json.
func readRecord(dir fs.FS) (r record, err error) {
	if err := read(dir, resumeFile, &r); err != nil {
		return r, err
	}
	if r.Schema != Schema {
		return r, fmt.Errorf("%s has the schema %q, and this tool reads %q; use the revision that wrote it", resumeFile, r.Schema, Schema)
	}
	return r, nil
}

// Flags returns the flags that a run was started with, by name; nil if its evidence does not
// say.
func Flags(dir fs.FS) (map[string][]string, error) {
	r, err := readRecord(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	return r.Flags, nil
}

// Left returns the cells that have not ended.
func (i Interrupted) Left() []CellRun {
	return slices.DeleteFunc(slices.Clone(i.Cells), CellRun.Ended)
}

// unaltered checks the hashes of the cells that have ended, and returns them. A run that was
// killed between the end of a cell and the note of it has one more cell.
func unaltered(dir fs.FS, noted map[string]string, cells []CellRun) (map[string]string, error) {
	ended := map[string]string{}
	for _, c := range cells {
		name := c.Cell.Name
		was, is := noted[name]
		switch {
		case is && !c.Ended():
			return nil, fmt.Errorf("cell %s had ended, and its evidence is gone or changed; run it again", name)
		case !c.Ended():
			continue
		}
		now, err := cellDigest(dir, name)
		if err != nil {
			return nil, err
		}
		if is && now != was {
			return nil, fmt.Errorf("the evidence of cell %s was changed after the cell ended; run it again", name)
		}
		ended[name] = now
	}
	return ended, nil
}

// cellDigest returns the hash of a cell's files.
func cellDigest(dir fs.FS, cell string) (string, error) {
	sub, err := fs.Sub(dir, cellPath(cell))
	if err != nil {
		return "", fmt.Errorf("hash the evidence: %w", err)
	}
	return Digest(sub)
}

// Prepare makes the folder ready for the rest of the run. It removes what the end of the run
// cut off: files that were not whole, and those of probe runs that had not ended. It lets what
// an interrupted cell has stand as the evidence of a cell that has not ended.
func (i *Interrupted) Prepare() error {
	root, err := Open(i.Folder.path)
	if err != nil {
		return err
	}
	defer root.Close()
	for n := range i.Cells {
		c := &i.Cells[n]
		if c.Ended() {
			continue
		}
		c.forget()
		err := error(nil)
		if len(c.Runs) == 0 {
			err = root.RemoveAll(cellPath(c.Cell.Name))
		} else {
			err = i.cut(root, *c)
		}
		if err != nil {
			return unwritten(err)
		}
	}
	return whole(root)
}

// forget leaves out what a cell's guest says again when its snapshot is opened.
func (c *CellRun) forget() {
	c.Runs, c.Transcripts = maps.Clone(c.Runs), maps.Clone(c.Transcripts)
	if c.Runs[catalog.Facts].Guest == Saved {
		delete(c.Runs, catalog.Facts)
	}
	for probe := range c.Transcripts {
		if _, ran := c.Runs[probe]; !ran && probe != stage0.Probe {
			delete(c.Transcripts, probe)
		}
	}
}

// cut keeps of a cell's folder the files of the probe runs that have ended.
func (i *Interrupted) cut(root *os.Root, c CellRun) error {
	if err := i.Folder.WritePart(c, nil); err != nil {
		return err
	}
	if err := root.Remove(path.Join(cellPath(c.Cell.Name), cellFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for folder, keep := range map[string]func(probe string) bool{
		"transcripts": func(probe string) bool { _, has := c.Transcripts[probe]; return has },
		"console":     func(probe string) bool { _, ran := c.Runs[probe]; return ran || probe == BootConsole },
	} {
		files, err := fs.Glob(root.FS(), path.Join(cellPath(c.Cell.Name), folder, "*"))
		if err != nil {
			return err
		}
		for _, file := range files {
			if probe := strings.TrimSuffix(path.Base(file), path.Ext(file)); keep(probe) {
				continue
			}
			if err := root.Remove(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole removes the files that were being written when the run was killed. Their names begin
// with a dot until they are whole.
func whole(root *os.Root) error {
	var cut []string
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasPrefix(path.Base(name), ".") {
			cut = append(cut, name)
		}
		return err
	})
	for _, name := range cut {
		err = errors.Join(err, root.Remove(name))
	}
	if err != nil {
		return unwritten(err)
	}
	return nil
}
