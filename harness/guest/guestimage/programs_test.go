package guestimage

import (
	"path/filepath"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"
)

// TestProgramsComeOutAsTheyWentIn fails if a target would run other bytes than a
// guest.
func TestProgramsComeOutAsTheyWentIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	if err := write(path, []cpio.Record{cpio.Directory("probes", 0o755), cpio.StaticFile("init", "agent", 0o755), cpio.StaticFile("probes/p", "probe", 0o755)}); err != nil {
		t.Fatal(err)
	}
	got, err := Image{Path: path}.Programs()
	if err != nil || len(got) != 2 || string(got["init"]) != "agent" || string(got["probes/p"]) != "probe" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (Image{Path: filepath.Join(t.TempDir(), "absent")}).Programs(); err == nil {
		t.Error("an image that is not there has programs")
	}
}
