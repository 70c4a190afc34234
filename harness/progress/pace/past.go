package pace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/google/renameio/v2"
)

// Past holds how many seconds each probe took, by cell and probe.
type Past map[string]map[string]float64

// Bounds of the file. The matrix has some 40 cells and 15 probes. Whatever is beyond a bound
// is left out.
const (
	maxBytes   = 1 << 20 // a file with all that the other bounds allow is smaller
	maxCells   = 256
	maxProbes  = 32
	maxSeconds = 24 * 60 * 60
)

var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// file is the name of the file in the cache.
const file = "durations.json"

// document is the content of the file.
type document struct {
	Seconds Past `json:"seconds"`
}

// Load reads what Save wrote in a folder. A file that is missing, damaged or no file of ours
// is an empty past: it would only have told how long a run takes.
func Load(folder string) Past {
	name := filepath.Join(folder, file)
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return Past{} // opening a FIFO would wait for its writer
	}
	f, err := os.Open(name)
	if err != nil {
		return Past{}
	}
	defer f.Close()
	return read(f)
}

// read keeps what is plausible in a file.
func read(r io.Reader) Past {
	b, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	var d document
	if err != nil || len(b) > maxBytes || json.Unmarshal(b, &d) != nil {
		return Past{}
	}
	return d.Seconds.bounded(nil)
}

// bounded returns a copy of the past that is within the bounds. The cells that come first are
// kept before the others.
func (p Past) bounded(first []string) Past {
	kept := Past{}
	for _, cell := range slices.Concat(first, slices.Sorted(maps.Keys(p))) {
		if len(kept) == maxCells {
			break
		}
		probes := map[string]float64{}
		for _, probe := range slices.Sorted(maps.Keys(p[cell])) {
			s := p[cell][probe]
			if len(probes) < maxProbes && plainName.MatchString(probe) && s > 0 && s <= maxSeconds {
				probes[probe] = s
			}
		}
		if plainName.MatchString(cell) && len(probes) > 0 {
			kept[cell] = probes
		}
	}
	return kept
}

// Save adds what a run measured to the past in a folder. Two runs that save at once lose one
// of both, which the next run measures again.
func (p Past) Save(folder string) error {
	if len(p) == 0 {
		return nil
	}
	all := Load(folder)
	for cell, probes := range p {
		if all[cell] == nil {
			all[cell] = map[string]float64{}
		}
		for probe, now := range probes {
			if before, known := all[cell][probe]; known {
				now = (before + now) / 2 // one busy day must not decide alone
			}
			all[cell][probe] = math.Round(now*1000) / 1000
		}
	}
	b, err := json.Marshal(document{all.bounded(slices.Sorted(maps.Keys(p)))})
	if err != nil {
		return fmt.Errorf("keep how long the probes took: %w", err)
	}
	err = renameio.WriteFile(filepath.Join(folder, file), append(b, '\n'), 0o644)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a cache that cannot be written can be used
	}
	if err != nil {
		return fmt.Errorf("keep how long the probes took: %w", err)
	}
	return nil
}

// of returns how long a probe takes on a cell: as it took there, else as it took on other
// cells. It returns false if nobody ran the probe.
func (p Past) of(cell, probe string) (float64, bool) {
	if s, known := p[cell][probe]; known {
		return s, true
	}
	sum, n := 0.0, 0
	for _, probes := range p {
		if s, known := probes[probe]; known {
			sum += s
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}
