package aftermath

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/poc/abi"
)

// Schema is the version of Facts and Report as JSON.
const Schema = 1

// Facts are what a host shows of the limits that refuse a thread. They are those of the
// moment and of the process that reads them: a shell has its own resource limits.
type Facts struct {
	Schema       int       `json:"schema"`
	Architecture string    `json:"architecture"` // GOARCH
	Taken        time.Time `json:"taken"`
	// State is of the process that read the facts, and of the machine.
	State census.Census `json:"state"`
	// Full are the groups that have refused a task since they were made, or that are full.
	// Killing are those in which the kernel killed a process.
	Full    []census.PidsGroup   `json:"fullGroups,omitempty"`
	Killing []census.MemoryGroup `json:"killingGroups,omitempty"`
	// Groups is how many groups were looked at; 0 if none could be.
	Groups int `json:"groups"`
	// Kernel is what the kernel's log tells.
	Kernel []Word `json:"kernelLog,omitempty"`
	// Unknown says, by JSON name, why something could not be read.
	Unknown map[string]string `json:"unknown,omitempty"`

	given bool // they were read from a file
}

// Bounds of what is kept of control groups.
const (
	maxGroups = 20000
	maxFull   = 16
)

// Here reads the facts of this host. Root is its root directory. kernelLog is
// the end of the kernel's log, "" for one that may not be read.
func Here(root fs.FS, kernelLog string, now time.Time) Facts {
	f := Facts{Schema: Schema, Architecture: runtime.GOARCH, Taken: now.UTC().Truncate(time.Second), Unknown: map[string]string{}}
	var err error
	if f.State, err = census.Take(root, os.Getpid(), os.Getpid()); err != nil {
		f.Unknown["state"] = err.Error()
	}
	if err := f.walk(root); err != nil {
		f.Unknown["groups"] = err.Error()
	}
	if kernelLog == "" {
		f.Unknown["kernelLog"] = "it may not be read; root may"
	}
	log, err := Read(strings.NewReader(kernelLog), f.Table())
	if err != nil {
		f.Unknown["kernelLog"] = err.Error()
	}
	f.Kernel = log.Words
	return f
}

// Table returns the numbers of the host's architecture. It is empty for one that is not
// known: numbers of errors then have no name.
func (f Facts) Table() abi.Table {
	t, _ := abi.Lookup(f.Architecture)
	return t
}

// walk looks at every control group.
func (f *Facts) walk(root fs.FS) error {
	mounts, err := fs.ReadFile(root, "proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		m := strings.Fields(line)
		if len(m) < 4 || m[2] != "cgroup" && m[2] != "cgroup2" {
			continue
		}
		version := 1
		if m[2] == "cgroup2" {
			version = 2
		}
		err = errors.Join(err, fs.WalkDir(root, strings.TrimPrefix(path.Clean(m[1]), "/"), func(name string, e fs.DirEntry, err error) error {
			switch {
			case err != nil || !e.IsDir():
				return nil // a group that was removed meanwhile
			case f.Groups == maxGroups:
				return fs.SkipAll
			}
			f.Groups++
			f.look(root, "/"+name, version)
			return nil
		}))
	}
	if f.Groups == 0 {
		err = errors.Join(err, errors.New("no control groups are mounted here"))
	}
	return err
}

// look keeps a group that has refused or killed something.
func (f *Facts) look(root fs.FS, dir string, version int) {
	g := census.PidsGroup{Path: dir, Version: version, Max: number(root, dir, "pids.max", ""), Current: number(root, dir, "pids.current", ""), Refused: number(root, dir, "pids.events", "max ")}
	if (g.Refused.N > 0 || g.Current.AtLeast(g.Max)) && len(f.Full) < maxFull {
		f.Full = append(f.Full, g)
	}
	m, there := census.MemoryGroup{Path: dir, Version: version}.Again(root)
	if there && m.Killed.N > 0 && len(f.Killing) < maxFull {
		f.Killing = append(f.Killing, m)
	}
}

// number reads a number from a file of a group, behind a key if there is one.
func number(root fs.FS, dir, file, key string) census.Amount {
	text, err := fs.ReadFile(root, strings.TrimPrefix(path.Join(dir, file), "/"))
	if err != nil {
		return census.Amount{}
	}
	for line := range strings.Lines(string(text)) {
		rest, found := strings.CutPrefix(line, key)
		if !found {
			continue
		}
		if rest = strings.TrimSpace(rest); rest == "max" {
			return census.Amount{State: census.Unlimited}
		}
		if n, err := strconv.ParseUint(rest, 10, 64); err == nil {
			return census.Known(n)
		}
	}
	return census.Amount{}
}

// Write writes the facts for Parse.
func (f Facts) Write(w io.Writer) error { return writeJSON(w, f, "  ") }

func writeJSON(w io.Writer, what any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", indent)
	e.SetEscapeHTML(false)
	if err := e.Encode(what); err != nil {
		return err
	}
	_, err := w.Write(foreign.JSON(b.Bytes()))
	return err
}

// maxFacts bounds a file of facts, in bytes.
const maxFacts = 4 << 20

// Parse reads facts that another host's mapstack wrote. The file may come from anybody.
func Parse(from io.Reader) (Facts, error) {
	var f Facts
	d := json.NewDecoder(io.LimitReader(from, maxFacts))
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("read the facts of a host: %w; mapstack diagnose --facts writes them", err)
	}
	if f.Schema != Schema {
		return f, fmt.Errorf("the facts have schema %d, and this program reads schema %d: write them again with the same mapstack", f.Schema, Schema)
	}
	f.given = true
	f.Full, f.Killing, f.Kernel = first(f.Full, maxFull), first(f.Killing, maxFull), first(f.Kernel, maxWords)
	for i := range f.Kernel {
		w := &f.Kernel[i]
		w.Text, w.Name, w.Group = clean([]byte(w.Text), maxText), clean([]byte(w.Name), maxText), clean([]byte(w.Group), maxText)
	}
	return f, nil
}

func first[T any](all []T, most int) []T { return slices.Clip(all[:min(len(all), most)]) }
