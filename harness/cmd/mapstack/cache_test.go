package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

func TestTheCacheIsShownAndPruned(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Dir(t.Context(), "snapshot", "key", func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, "ram"), make([]byte, 1<<20), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := execute(t, "cache"); err != nil || !strings.Contains(shown, "snapshot") || !strings.Contains(shown, "1.0 MiB") {
		t.Errorf("%v\n%s", err, shown)
	}
	if _, err := execute(t, "cache", "prune", "--to", "0"); err == nil || !strings.Contains(err.Error(), "another run is using it") {
		t.Errorf("pruned while it is in use: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(t, "cache", "prune", "--to", "some"); exitCode(err) != verdict.ExitInfrastructure || !strings.Contains(err.Error(), "8GiB") {
		t.Errorf("a size that is none: %v", err)
	}
	if said, err := execute(t, "cache", "prune", "--to", "0"); err != nil || !strings.Contains(said, "entries removed: 1") {
		t.Errorf("%v\n%s", err, said)
	}
}
