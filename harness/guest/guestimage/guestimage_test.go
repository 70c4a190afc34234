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
	for _, name := range []string{"guest", "guest-strict", "sysconf"} {
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

// TestTheGuestFindsWhatItNeeds fails without the console node, as PID 1 then has no
// stdio. It also fails if others may not execute the probes: unprivileged children
// could not start.
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
		case "init", "agent", "probes/facts", "probes/sysconf", "probes/threadstacks-strict", "probes":
			if r.Mode&0o005 != 0o005 {
				t.Errorf("%s has mode %o: others cannot execute it", r.Name, r.Mode)
			}
		}
	}
	for _, want := range []string{"init", "agent", "dev/console", "proc", "sys", "tmp", "probes/facts", "probes/sysconf", "probes/threadstacks-strict"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %v", want, names)
		}
	}
	for _, name := range []string{"probes/agent", "probes/guest"} {
		if slices.Contains(names, name) {
			t.Errorf("%s is among the probes", name)
		}
	}
}

// TestTheAgentStartsWhatStage0DoesNot fails if a guest has no PID 1, or if PID 1 is
// not stage 0 where there is one.
func TestTheAgentStartsWhatStage0DoesNot(t *testing.T) {
	for goarch, want := range map[string][]string{"amd64": {"agent the agent", "init stage 0"}, "riscv64": {"init the agent"}} {
		program, err := first(goarch)
		if err != nil {
			t.Fatal(err)
		}
		records, err := contents(programs(t, time.Unix(1, 0)), program)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range records {
			if r.Name != "init" && r.Name != "agent" {
				continue
			}
			b := make([]byte, r.FileSize)
			if _, err := r.ReadAt(b, 0); err != nil {
				t.Fatal(err)
			}
			what := "something else"
			switch {
			case string(b) == "program guest":
				what = "the agent"
			case bytes.Equal(b, program):
				what = "stage 0"
			}
			got = append(got, r.Name+" "+what)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", goarch, got, want)
		}
	}
}

// TestProgramsOfOneFileAreStoredOnce fails if a guest image has the same program
// several times, or if the programs of another runtime are those of the stock one.
func TestProgramsOfOneFileAreStoredOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "initramfs")
	if err := os.WriteFile(path, image(t, time.Unix(1, 0)), 0o644); err != nil {
		t.Fatal(err)
	}
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(image(t, time.Unix(1, 0)))))
	if err != nil {
		t.Fatal(err)
	}
	bytesOf, linked := map[uint64]uint64{}, 0
	for _, r := range records {
		if r.NLink > 1 {
			if linked++; r.FileSize != 0 && bytesOf[r.Ino] != 0 {
				t.Errorf("%s has the bytes of inode %d again", r.Name, r.Ino)
			}
			bytesOf[r.Ino] += r.FileSize
		}
	}
	if want := len(holds(guest)) + len(holds(guest+"-strict")); linked != want || len(bytesOf) != 2 {
		t.Errorf("%d names of %d files; the files guest and guest-strict have %d", linked, len(bytesOf), want)
	}
	programs, err := Image{Path: path}.Programs()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"init": "guest", "stage0": "first", "probes/mapstack": "guest", "probes/zeropage": "guest",
		"probes/threadstacks": "guest", "probes/threadstacks-strict": "guest-strict", "probes/sysconf": "sysconf",
	} {
		if got := string(programs[name]); got != "program "+want {
			t.Errorf("%s is %q, want the program %s", name, got, want)
		}
	}
}
