package cache

import (
	"os"
	"path/filepath"
	"testing"
)

// TestScratchOfAKilledRunIsRemoved fails if what was unpacked fills the disk for ever after
// a run was killed.
func TestScratchOfAKilledRunIsRemoved(t *testing.T) {
	root := t.TempDir()
	c := open(t, root)
	one, release, err := c.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	two, releaseTwo, err := c.Scratch()
	if err != nil || one == two {
		t.Fatalf("%s and %s, %v", one, two, err)
	}
	for _, dir := range []string{one, two} {
		if err := os.WriteFile(filepath.Join(dir, "disk"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open(t, root) // another run sweeps, and leaves both alone
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(one); !os.IsNotExist(err) {
		t.Errorf("a released folder is there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(two, "disk")); err != nil {
		t.Errorf("the folder of another user: %v", err)
	}
	// The lock of a killed run is free.
	if err := os.Rename(two, two+"0"); err != nil {
		t.Fatal(err)
	}
	open(t, root)
	if _, err := os.Stat(two + "0"); !os.IsNotExist(err) {
		t.Errorf("the folder of a killed run is there: %v", err)
	}
	if err := releaseTwo(); err != nil {
		t.Fatal(err)
	}
}
