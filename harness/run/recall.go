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

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/poc/wire"
)

// trialKind is the cache's name for what Recall keeps, with the version of its format.
const trialKind = "trial-1"

const transcriptFile = "transcript.json"

// errLost means that a trial is not kept, because the next one may end otherwise. A busy host
// can make a guest too late, and a probe can die by chance.
var errLost = errors.New("the run has no whole transcript")

// Recall is Observe with a cache: it returns what a guest of the same snapshot said below
// the same defect before. Without a defect or a snapshot it caches nothing. It is for proofs
// about claims. A verdict on a kernel is never based on it.
func (s *Series) Recall(ctx context.Context, probe, defect string) (t wire.Transcript, run evidence.ProbeRun, err error) {
	o := s.opened
	snapshot := o.place.snapshot()
	if snapshot == "" || defect == "" {
		return s.Observe(ctx, io.Discard, probe, defect)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", snapshot, probe, defect))
	dir, err := o.engine.Snapshots.Dir(ctx, trialKind, hex.EncodeToString(sum[:]), func(ctx context.Context, dir string) error {
		var err error
		if t, run, err = s.Observe(ctx, io.Discard, probe, defect); err != nil {
			return err
		}
		if run.Failure != nil || run.Guest != evidence.Restored && run.Guest != evidence.Shared || !t.Exit.Clean() {
			return errLost
		}
		b, err := json.Marshal(t)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, transcriptFile), b, 0o644)
	})
	if errors.Is(err, errLost) {
		return t, run, nil
	}
	if err != nil || t.Probe != "" {
		return t, run, err
	}
	b, err := os.ReadFile(filepath.Join(dir, transcriptFile))
	if err != nil {
		return t, run, fmt.Errorf("read what probe %s said below %s before: %w", probe, defect, err)
	}
	run.Guest = evidence.Restored
	if err := json.Unmarshal(b, &t); err != nil {
		return t, run, fmt.Errorf("read what probe %s said below %s before: %w", probe, defect, err)
	}
	return t, run, nil
}
