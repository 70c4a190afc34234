package toolbox

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
)

// lastFile is the path of the list of packages in the architecture's last toolbox.
// With the list, a machine without a network can use that toolbox again.
func (t *Toolbox) lastFile(rec arch.Record) string {
	return filepath.Join(t.cache.Root(), "toolbox-last", t.host+"-"+rec.GOARCH+".json")
}

// remember writes the list. The caller has verified it against the signed index.
func (t *Toolbox) remember(rec arch.Record, packages []debian.Package) error {
	data, err := json.MarshalIndent(packages, "", "\t")
	if err != nil {
		return fmt.Errorf("remember the packages of QEMU for %s: %w", rec.GOARCH, err)
	}
	file := t.lastFile(rec)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("remember the packages of QEMU for %s: %w", rec.GOARCH, err)
	}
	if err := renameio.WriteFile(file, data, 0o644); err != nil {
		return fmt.Errorf("remember the packages of QEMU for %s: %w", rec.GOARCH, err)
	}
	return nil
}

// recall returns the packages of the last toolbox, with a warning. Without a last
// toolbox it returns the error unreachable.
func (t *Toolbox) recall(rec arch.Record, unreachable error) ([]debian.Package, error) {
	data, err := os.ReadFile(t.lastFile(rec))
	if err != nil {
		return nil, unreachable
	}
	var packages []debian.Package
	if err := json.Unmarshal(data, &packages); err != nil || len(packages) == 0 {
		return nil, unreachable
	}
	t.sink(progress.Event{Stage: progress.Warning, What: fmt.Sprintf("QEMU for %s is the one of an earlier run: %v", rec.GOARCH, unreachable)})
	return packages, nil
}
