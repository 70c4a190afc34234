// Package evidence keeps what a run observed on disk, in a form from which
// every verdict can be computed again:
//
//	out/<run>/run.json                         what was asked for, and of whom
//	out/<run>/cells/<cell>/cell.json           kernel, QEMU, guest, how it ended
//	out/<run>/cells/<cell>/transcripts/*.json  one probe run each; facts is one
//	out/<run>/cells/<cell>/console/*.log       all that the guests wrote: as one booted, and by probe
//	out/<run>/cells/<cell>/qemu.txt            the command line, to repeat by hand
package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/poc/wire"
)

// Schema is the version of the files below.
const Schema = "1"

// Run is run.json.
type Run struct {
	Schema   string `json:"schema"`
	Revision string `json:"revision"` // of git, of the tool that ran
	Focus    string `json:"focus,omitempty"`
	// Defect is the defect model that was injected; such a run says how a
	// defective kernel would be judged and nothing of the kernels that ran.
	Defect   string        `json:"defect,omitempty"`
	Cells    []matrix.Cell `json:"cells"` // everything that was asked for
	Host     Host          `json:"host"`
	Started  time.Time     `json:"started"`
	Finished time.Time     `json:"finished"`
	Warnings []string      `json:"warnings,omitempty"`
	// CPUSeconds is the time of this host's CPUs that the run's own process
	// took, ResidentBytes the most memory that it had. Guests are not in it.
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentBytes int64   `json:"residentBytes"`
}

// Host is the machine that ran the guests, as go-sysconf reports it.
type Host struct {
	Arch      string `json:"arch"`
	Cores     int    `json:"cores"`
	MemoryMiB int    `json:"memoryMiB"`
	PageSize  int    `json:"pageSize"`
}

// Cell is cell.json with the transcripts beside it.
type Cell struct {
	Schema  string          `json:"schema"`
	Cell    matrix.Cell     `json:"cell"`
	Kernel  *kernel.Image   `json:"kernel,omitempty"`
	QEMU    *QEMU           `json:"qemu,omitempty"`
	Guest   *Guest          `json:"guest,omitempty"`
	Failure *target.Failure `json:"failure,omitempty"` // why no probe ran, or no further one
	// Runs is how each probe run went, by probe.
	Runs map[string]ProbeRun `json:"runs,omitempty"`
	// Seconds is the time that the cell's guests took, without their waiting for
	// a free core.
	Seconds float64 `json:"seconds"`

	Transcripts map[string]wire.Transcript `json:"-"` // by probe
}

// QEMU is the emulator that ran a cell.
type QEMU struct {
	Version string `json:"version"`
	Source  string `json:"source"` // PATH, or the package it came in
	Build   string `json:"build"`  // hash that identifies it
	// Argv goes to qemu.txt alone: it is full of this host's paths, which
	// evidence that travels need not have.
	Argv []string `json:"-"`
	// Command is a user-mode emulator's, without the folder it is in; empty for a
	// machine's.
	Command string `json:"command,omitempty"`
	// Accelerator is what QEMU itself says; AcceleratorReason why no better one.
	Accelerator       string       `json:"accelerator"`
	AcceleratorReason string       `json:"acceleratorReason,omitempty"`
	Machine           string       `json:"machine"`
	Params            []arch.Param `json:"params"`
}

// Guest is what ran inside.
type Guest struct {
	Image string     `json:"image"` // key of the guest image
	Go    string     `json:"go"`    // toolchain of its programs
	Hello wire.Hello `json:"hello"`
	// Snapshot is the key of the booted guest that every run was restored from,
	// empty for none; then BootReason says why guests were booted.
	Snapshot   string `json:"snapshot,omitempty"`
	BootReason string `json:"bootReason,omitempty"`
	// BootSeconds is the time from QEMU's start to the agent's hello, of the
	// boot that the snapshot was made of or of the last one.
	BootSeconds float64 `json:"bootSeconds"`
}

// ProbeRun is one probe run, in a guest of its own.
type ProbeRun struct {
	Guest string `json:"guest"` // Restored or Booted
	// StartSeconds is the time from QEMU's start to the agent's first answer,
	// Seconds the time from there to QEMU's end.
	StartSeconds float64 `json:"startSeconds"`
	Seconds      float64 `json:"seconds"`
	// CPUSeconds is the host's time that QEMU took, ResidentBytes the most that
	// it had resident.
	CPUSeconds    float64         `json:"cpuSeconds"`
	ResidentBytes int64           `json:"residentBytes"`
	Failure       *target.Failure `json:"failure,omitempty"` // why there is no transcript
}

// Err is the run's failure as an error, nil for none.
func (r ProbeRun) Err() error {
	if r.Failure == nil {
		return nil
	}
	return r.Failure
}

// What ProbeRun.Guest can be.
const (
	Restored = "restored"
	Booted   = "booted"
	Started  = target.Started
)

// Folder is the evidence of one run.
type Folder struct{ path string }

// Create makes the folder of a new run below out, named by the time.
func Create(out string, started time.Time) (Folder, error) {
	base := filepath.Join(out, started.UTC().Format("20060102-150405"))
	path := base
	for i := 2; ; i++ {
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.Mkdir(path, 0o755)
		}
		if err == nil {
			return Folder{path}, nil
		}
		if !errors.Is(err, fs.ErrExist) || i > 1000 {
			return Folder{}, fmt.Errorf("create the folder of this run: %w; give another one with --out", err)
		}
		path = fmt.Sprintf("%s-%d", base, i)
	}
}

// Path is where the folder is.
func (f Folder) Path() string { return f.path }

// Cell makes the folder of a cell and returns its path.
func (f Folder) cell(name string) string { return filepath.Join(f.path, "cells", name) }

// BootConsole names the console log of the guest that was booted for the cell.
const BootConsole = "boot"

// Console opens a console log of a cell: BootConsole, or that of a probe's run.
func (f Folder) Console(cell, name string) (*os.File, error) {
	dir := filepath.Join(f.cell(cell), "console")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, unwritten(err)
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, unwritten(err)
	}
	return log, nil
}

// WriteRun writes run.json.
func (f Folder) WriteRun(r Run) error {
	r.Schema = Schema
	return write(filepath.Join(f.path, "run.json"), r)
}

// WriteCell writes everything known of a cell.
func (f Folder) WriteCell(c Cell) error {
	c.Schema = Schema
	dir := f.cell(c.Cell.Name)
	if err := os.MkdirAll(filepath.Join(dir, "transcripts"), 0o755); err != nil {
		return unwritten(err)
	}
	for probe, t := range c.Transcripts {
		if err := write(filepath.Join(dir, "transcripts", probe+".json"), t); err != nil {
			return err
		}
	}
	if c.QEMU != nil && len(c.QEMU.Argv) > 0 {
		line := strings.Join(quoted(byHand(c.QEMU.Argv)), " ") + "\n"
		if err := os.WriteFile(filepath.Join(dir, "qemu.txt"), []byte(line), 0o644); err != nil {
			return unwritten(err)
		}
	}
	// Last: a cell.json says that the rest is there.
	return write(filepath.Join(dir, "cell.json"), c)
}

// Keep writes a finished run in place of the one that path holds, without what
// judges nothing and speaks of the host: logs, command lines, and warnings,
// which name mirrors.
func Keep(path string, r Run, cells []Cell) error {
	f := Folder{path}
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

// byHand is the command line without the monitor: it is a socket that only a
// run can hand to QEMU, which does not start without it.
func byHand(argv []string) []string {
	var words []string
	for i := 0; i < len(argv); i++ {
		if i+1 < len(argv) && (argv[i] == "-mon" || argv[i] == "-chardev" && strings.HasPrefix(argv[i+1], "socket,id=monitor,")) {
			i++
			continue
		}
		words = append(words, argv[i])
	}
	return words
}

// quoted makes words safe to paste into a shell.
func quoted(argv []string) []string {
	var words []string
	for _, w := range argv {
		if strings.ContainsAny(w, " \t'\"$\\*?;&|<>()") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return words
}

func write(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// Told where, it need not try on every file whether another folder would do.
	here := renameio.WithTempDir(filepath.Dir(path))
	if err := renameio.WriteFile(path, append(b, '\n'), 0o644, here); err != nil {
		return unwritten(err)
	}
	return nil
}

// unwritten says what to do about evidence that the disk did not take; err
// names the file.
func unwritten(err error) error {
	return fmt.Errorf("write the evidence: %w; make room or get write access there, or give another folder with --out", err)
}

// maxFile bounds one evidence file that is read back, in bytes: evidence comes
// from vendors too.
const maxFile = 64 << 20

// Load reads the evidence of a finished run from a folder.
func Load(folder string) (Run, []Cell, error) {
	run, cells, err := LoadFS(os.DirFS(folder))
	if err != nil {
		return run, nil, fmt.Errorf("read evidence in %s: %w", folder, err)
	}
	return run, cells, nil
}

// LoadFS reads the evidence of a finished run. A cell that run.json names and
// that left nothing behind has a Failure that says so.
func LoadFS(dir fs.FS) (Run, []Cell, error) {
	var run Run
	switch err := read(dir, "run.json", &run); {
	case errors.Is(err, fs.ErrNotExist):
		return run, nil, fmt.Errorf("%w; give the folder of one run, such as out/20260131-235959", err)
	case err != nil:
		return run, nil, err
	}
	if run.Schema != Schema {
		return run, nil, fmt.Errorf("schema %q, this tool reads %q; use the revision that wrote it", run.Schema, Schema)
	}
	var cells []Cell
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

// honest refuses a transcript of a probe that a defect was injected into in a
// run that does not say so, or that says another.
func honest(run Run, cell Cell) error {
	for probe, t := range cell.Transcripts {
		if t.Defect != "" && t.Defect != run.Defect {
			return fmt.Errorf("cell %s: probe %s ran with the injected defect %q and run.json says %q",
				cell.Cell.Name, probe, t.Defect, run.Defect)
		}
	}
	return nil
}

func load(dir fs.FS, asked matrix.Cell) (Cell, error) {
	c := Cell{Transcripts: map[string]wire.Transcript{}}
	if filepath.Base(asked.Name) != asked.Name || asked.Name == "." || asked.Name == ".." {
		return c, fmt.Errorf("a cell is named %q, which is no folder name", asked.Name)
	}
	file := path.Join("cells", asked.Name, "cell.json")
	switch err := read(dir, file, &c); {
	case errors.Is(err, fs.ErrNotExist):
		c.Cell = asked
		c.Failure = &target.Failure{Kind: target.Interrupted, Message: "the run ended before this cell did"}
		return c, nil
	case err != nil:
		return c, err
	case c.Schema != Schema || !reflect.DeepEqual(c.Cell, asked):
		return c, fmt.Errorf("%s: not the cell that run.json asked for", file)
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
		c.Transcripts[t.Probe] = t
	}
	return c, nil
}

func read(dir fs.FS, name string, into any) error {
	file, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return err
	}
	if len(b) > maxFile {
		return fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
