package guestimage

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func diskImage(t *testing.T, modified time.Time) string {
	t.Helper()
	records, err := contents(programs(t, modified), nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), disk)
	if err := writeDisk(path, records); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheSameProgramsGiveTheSameDisk(t *testing.T) {
	first, err := os.ReadFile(diskImage(t, time.Unix(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(diskImage(t, time.Unix(1e9, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the disk depends on when or where the programs were built")
	}
}

// TestTheDiskHoldsWhatTheInitramfsDoes reads the disk with e2fsprogs, which read
// the same format as the kernel that mounts it.
func TestTheDiskHoldsWhatTheInitramfsDoes(t *testing.T) {
	debugfs, err := exec.LookPath("debugfs")
	if err != nil {
		t.Skip("not run: debugfs is missing; apt-get install e2fsprogs")
	}
	path := diskImage(t, time.Unix(1, 0))
	for command, want := range map[string]string{
		"cat /init":          "program guest",
		"cat /probes/facts":  "program guest",
		"stat /probes/facts": fmt.Sprint("Links: ", len(holds(guest))),
		"stat /dev/console":  "Device major/minor number: 05:01",
		"stat /proc":         "Type: directory",
		"stat /init":         "Mode:  0755",
	} {
		out, err := exec.Command(debugfs, "-R", command, path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, want %q in\n%s", command, err, want, out)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Type() != fs.FileMode(0) {
		t.Errorf("%v, %v", info, err)
	}
}
