package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// matrices are the runs that are disturbed. The claims are few, so that a run takes seconds.
var matrices = []string{"amd64-debian12-6.1", "amd64-debian11-5.10", "amd64-debian12-6.1,amd64-debian11-5.10"}

const focus = "signal"

// Sizes of the file systems. The cache of these cells takes a gigabyte.
const (
	wholeSize = 8 << 30
	outSize   = 256 << 20
)

// rig is what all trials share: a mirror with what the real one said, a cache, and what an
// undisturbed run finds.
type rig struct {
	program string // path of mapstack
	dir     string
	goCache string
	mirror  *mirror
	calm    map[string]calmRun // by matrix
	started int                // runs so far
	waited  sync.Map           // process ids of children that somebody waits for
}

// calmRun is what an undisturbed run found, and how long it took.
type calmRun struct {
	outcomes outcomes
	took     time.Duration
}

// outcomes holds the status of each claim on each cell.
type outcomes map[string]verdict.Status

func newRig(dir string) (*rig, error) {
	r := &rig{program: filepath.Join(dir, "mapstack"), dir: dir, calm: map[string]calmRun{}}
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("ask for Go's cache: %w", err)
	}
	r.goCache = strings.TrimSpace(string(out))
	// Mounts must not reach the namespace outside.
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
		unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", wholeSize)),
	); err != nil {
		return nil, fmt.Errorf("mount the file systems: %w", err)
	}
	for _, m := range []struct {
		path string
		size int
	}{{r.cacheHome(), wholeSize}, {r.out(), outSize}} {
		if err := os.Mkdir(m.path, 0o755); err != nil {
			return nil, err
		}
		if err := unix.Mount("tmpfs", m.path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", m.size)); err != nil {
			return nil, fmt.Errorf("mount the file systems: %w", err)
		}
	}
	// A copy, because all trials must be of one program.
	if out, err := exec.Command("cp", "bin/mapstack", r.program).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy the program: %w: %s", err, out)
	}
	if err := r.lendGuests(); err != nil {
		return nil, err
	}
	if r.mirror, err = newMirror(filepath.Join(dir, "mirror")); err != nil {
		return nil, err
	}
	return r, r.settle()
}

// lendGuests copies the guest images of the user's cache. To compile them takes minutes.
func (r *rig) lendGuests() error {
	base, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	from, to := filepath.Join(base, "mapstack", "guest"), filepath.Join(r.cache(), "guest")
	if len(left(from)) == 0 {
		return nil
	}
	return errors.Join(os.MkdirAll(to, 0o755), copyTree(from, to))
}

func (r *rig) cacheHome() string { return filepath.Join(r.dir, "cache") }
func (r *rig) cache() string     { return filepath.Join(r.cacheHome(), "mapstack") }
func (r *rig) out() string       { return filepath.Join(r.dir, "out") }
func (r *rig) spare() string     { return filepath.Join(r.dir, "spare") }

// settle fills the cache, and learns what undisturbed runs find. It keeps a copy of the cache.
func (r *rig) settle() error {
	for _, cold := range []bool{true, false} {
		for i := len(matrices) - 1; i >= 0; i-- { // the last one has all cells
			m := matrices[i]
			t := r.trial(0, 0, kind{})
			t.matrix = m
			began := time.Now()
			p, err := t.start()
			if err != nil {
				return err
			}
			p.wait()
			found, err := p.outcomes()
			if err != nil || p.code() != verdict.ExitConformant {
				return fmt.Errorf("an undisturbed run of %s ended with %d: %w\n%s", m, p.code(), err, p.said())
			}
			r.calm[m] = calmRun{found, time.Since(began)}
			fmt.Printf("undisturbed: %s: %d outcomes in %v\n", m, len(found), time.Since(began).Round(time.Millisecond))
			if cold {
				break
			}
		}
	}
	return copyTree(r.cacheHome(), r.spare())
}

// restore replaces a cache that a defect has spoilt.
func (r *rig) restore() error {
	if err := os.RemoveAll(r.cache()); err != nil {
		return err
	}
	return copyTree(r.spare(), r.cacheHome())
}

// copyTree copies what is in a folder. Times are kept: the cache believes files by them.
func copyTree(from, to string) error {
	out, err := exec.Command("cp", "-a", "--sparse=always", from+"/.", to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy the cache: %w: %s", err, out)
	}
	return nil
}

func (r *rig) close() { r.mirror.close() }

// trial returns one trial. Everything random in it follows from the seed and its number.
func (r *rig) trial(seed uint64, n int, k kind) *trial {
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	t := &trial{rig: r, kind: k, random: random, matrix: matrices[0], runs: 1}
	if random.IntN(4) == 0 {
		t.matrix = matrices[1+random.IntN(len(matrices)-1)]
	}
	t.tmp = filepath.Join(r.dir, fmt.Sprintf("tmp-%d", n))
	return t
}

// readOutcomes returns the outcomes of the newest report below a folder.
func readOutcomes(folder string) (report.Report, outcomes, error) {
	var r report.Report
	b, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		return r, nil, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, nil, err
	}
	found := outcomes{}
	for _, o := range r.Outcomes {
		found[o.Cell+" "+o.Claim] = o.Status
	}
	return r, found, nil
}

// of returns the outcomes of one cell.
func (o outcomes) of(cell string) outcomes {
	own := maps.Clone(o)
	maps.DeleteFunc(own, func(key string, _ verdict.Status) bool { return !strings.HasPrefix(key, cell+" ") })
	return own
}

// left lists what is in a folder.
func left(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []string{err.Error()}
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
