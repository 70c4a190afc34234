package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/wire"
)

// Snapshots is the cache that keeps booted guests.
type Snapshots interface {
	Dir(ctx context.Context, kind, key string, build func(ctx context.Context, dir string) error) (string, error)
	Forget(ctx context.Context, kind, key string) error
}

// store restores the guests of a cell from a snapshot, or has its factory boot them.
type store struct {
	*factory

	mu      sync.Mutex
	saved   *saved             // nil if guests are booted
	unsaved string             // why guests are booted; "" if they are restored
	retried []*failure.Failure // after which a guest was started again
}

// saved is a snapshot of a guest that has booted and said hello.
type saved struct {
	dir string
	key string
	savedRecord
}

// savedRecord describes the guest in a snapshot's folder.
type savedRecord struct {
	Hello       wire.Hello `json:"hello"`
	Accel       qemu.Accel `json:"accel"`
	BootSeconds float64    `json:"bootSeconds"`
	// Early holds what stage 0 observed while the guest booted; nil if it observed nothing.
	Early *wire.Transcript `json:"early,omitempty"`
	// Facts holds what the probe of that name observed before the guest was saved.
	Facts wire.Transcript `json:"facts"`
}

// Files of a snapshot.
const (
	ramFile     = "ram"
	stateFile   = "state"
	recordFile  = "snapshot.json"
	consoleFile = "console.log"
)

// snapshotKind is the cache's name for snapshots, with the version of their files.
const snapshotKind = "snapshot-3"

// unsaveable returns why a cell's guests are booted; "" if they are restored.
func (s *store) unsaveable() string {
	switch {
	case s.engine.Snapshots == nil || s.engine.Fresh:
		return "asked for"
	case s.config.Accel != qemu.TCG:
		return "a guest that was saved under KVM belongs to the CPU it ran on"
	case s.config.Machine.BootOnly != "":
		return s.config.Machine.BootOnly
	}
	return ""
}

// save finds the cell's snapshot, or boots a guest and makes one.
func (s *store) save(ctx context.Context, log io.Writer) error {
	if s.unsaved = s.unsaveable(); s.unsaved != "" {
		return nil
	}
	key, err := s.key()
	if err != nil {
		return err
	}
	made := false
	var dir string
	err = again(ctx, s.note, func() (err error) {
		dir, err = s.engine.Snapshots.Dir(ctx, snapshotKind, key, func(ctx context.Context, dir string) error {
			made = true
			return s.lend(ctx, func() error { return s.make(ctx, dir, log) })
		})
		return err
	})
	var failed *failure.Failure
	switch {
	// If the infrastructure failed, the disk may be too full for a snapshot. Then a boot
	// may still work.
	case ctx.Err() != nil || errors.As(err, &failed) && failed.Kind != failure.Infra:
		return err
	case err != nil:
		s.distrust(fmt.Errorf("the booted guest could not be kept: %w", err))
		return nil
	}
	kept := &saved{dir: dir, key: key}
	if err := kept.read(); err != nil {
		s.distrust(err)
		return nil
	}
	if !made {
		if err := kept.copyConsole(log); err != nil {
			return err
		}
	}
	s.saved = kept
	s.last.Hello, s.last.BootSeconds, s.last.Snapshot, s.accel = kept.Hello, kept.BootSeconds, key, kept.Accel
	s.first = kept.Early
	return nil
}

// key identifies everything that a booted guest is made of.
func (s *store) key() (string, error) {
	argv, err := s.config.Argv()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(struct {
		QEMU, Kernel, Guest string
		Argv                []string
		Unsaved             []arch.Register
		Protocol            int
	}{s.parts.emulator.Build, s.parts.kernel.ImageSHA256, s.parts.guest.Key, argv, s.config.Machine.Unsaved, wire.Protocol}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// make boots a guest and writes its snapshot to dir.
func (s *store) make(ctx context.Context, dir string, log io.Writer) (err error) {
	console, err := os.Create(filepath.Join(dir, consoleFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, console.Close()) }()
	cfg := s.config
	cfg.RAM = filepath.Join(dir, ramFile)
	g, err := s.boot(ctx, cfg, io.MultiWriter(console, log))
	if err != nil {
		return err
	}
	facts, err := observe(ctx, g, catalog.Facts, "", nil)
	if err != nil {
		return err
	}
	if err := g.Save(ctx, filepath.Join(dir, stateFile)); err != nil {
		return err
	}
	record, err := json.Marshal(savedRecord{g.Hello, g.Accel, g.Started.Seconds(), early(g), facts})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordFile), record, 0o644)
}

func (k *saved) read() error {
	b, err := os.ReadFile(filepath.Join(k.dir, recordFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &k.savedRecord); err != nil {
		return fmt.Errorf("%s: %w", recordFile, err)
	}
	return nil
}

// copyConsole writes the console log of the guest's boot to log.
func (k *saved) copyConsole(log io.Writer) error {
	f, err := os.Open(filepath.Join(k.dir, consoleFile))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(log, f)
	return err
}

// note keeps a failure after which a guest is started again.
func (s *store) note(f *failure.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retried = append(s.retried, f)
}

// distrust gives the snapshot up: guests are booted from now on.
func (s *store) distrust(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaved != "" {
		return // the guest of another probe has reported it already
	}
	s.saved, s.unsaved = nil, err.Error()
	s.engine.Sink(progress.Event{Cell: s.cell.Name, Stage: progress.Warning, End: true,
		What: fmt.Sprintf("cell %s boots for every probe: %v", s.cell.Name, err)})
}

// describe fills in what the factory knows, and why guests are booted.
func (s *store) describe(c *evidence.CellRun) {
	s.factory.describe(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Retried = s.retried
	if c.Guest != nil {
		c.Guest.BootReason = s.unsaved
	}
}

// snapshot returns the key of the guest that every start restores; "" if guests are booted.
func (s *store) snapshot() string {
	if kept := s.trusted(); kept != nil {
		return kept.key
	}
	return ""
}

func (s *store) facts() (wire.Transcript, bool) {
	kept := s.trusted()
	if kept == nil {
		return wire.Transcript{}, false
	}
	return kept.Facts, true
}

// trusted returns the snapshot; nil if guests are booted.
func (s *store) trusted() *saved {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saved
}

// start returns a pristine guest, and whether it was restored or booted. A snapshot that
// cannot be restored is given up, and the guest is booted instead.
func (s *store) start(ctx context.Context, log io.Writer) (target.Agent, string, error) {
	if kept := s.trusted(); kept != nil {
		cfg := s.config
		cfg.RAM, cfg.Restore = filepath.Join(kept.dir, ramFile), true
		var g *target.Guest
		err := again(ctx, s.note, func() (err error) {
			g, err = target.Restore(ctx, cfg, filepath.Join(kept.dir, stateFile), kept.Hello, s.timeouts, log)
			return err
		})
		switch {
		case err == nil:
			return g, evidence.Restored, nil
		case ctx.Err() != nil:
			return nil, evidence.Restored, err
		}
		// The snapshot is removed. Otherwise the next run would wait for it in vain, too.
		s.distrust(errors.Join(err, s.engine.Snapshots.Forget(ctx, snapshotKind, kept.key)))
	}
	var g *target.Guest
	err := again(ctx, s.note, func() (err error) {
		g, err = s.factory.start(ctx, log)
		return err
	})
	if err != nil {
		return nil, evidence.Booted, err // a nil *target.Guest would be a non-nil Agent
	}
	return g, evidence.Booted, nil
}
