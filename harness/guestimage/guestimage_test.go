package guestimage

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"
)

func programs(t *testing.T, modified time.Time) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"agent", "facts", "mapstack"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("program "+name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func image(t *testing.T, modified time.Time) []byte {
	t.Helper()
	records, err := contents(programs(t, modified), []byte("program first"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "initramfs")
	if err := write(path, records); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSameProgramsGiveTheSameBytes(t *testing.T) {
	if !bytes.Equal(image(t, time.Unix(1, 0)), image(t, time.Unix(1e9, 0))) {
		t.Error("the image depends on when or where the programs were built")
	}
}

// Without the console node PID 1 has no stdio; without execute permission for
// others the probes' unprivileged children cannot start.
func TestTheGuestFindsWhatItNeeds(t *testing.T) {
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(image(t, time.Unix(1, 0)))))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range records {
		names = append(names, r.Name)
		switch r.Name {
		case "dev/console":
			if r.Rmajor != 5 || r.Rminor != 1 || r.Mode&cpio.S_IFMT != cpio.S_IFCHR {
				t.Errorf("dev/console is %o %d,%d", r.Mode, r.Rmajor, r.Rminor)
			}
		case "init", "agent", "probes/facts", "probes/mapstack", "probes":
			if r.Mode&0o005 != 0o005 {
				t.Errorf("%s has mode %o: others cannot execute it", r.Name, r.Mode)
			}
		}
	}
	for _, want := range []string{"init", "agent", "dev/console", "proc", "sys", "tmp", "probes/facts", "probes/mapstack"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %v", want, names)
		}
	}
	if slices.Contains(names, "probes/agent") {
		t.Error("the agent is among the probes")
	}
}
