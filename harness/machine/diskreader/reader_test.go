package diskreader

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"
)

// The script and the host agree on words and names that no compiler compares.
func TestTheScriptKnowsItsDisksAndEndsWithTheWordsThatTheHostWaitsFor(t *testing.T) {
	if !bytes.Contains(initScript, []byte(`echo "`+allDone+`"`)) {
		t.Errorf("init.sh never says %q", allDone)
	}
	for _, d := range readDrives("/disk", "raw", "/out") {
		if !bytes.Contains(initScript, []byte(d.Serial+") "+d.Serial+"=${d##*/} ;;")) {
			t.Errorf("init.sh does not look for the disk %q", d.Serial)
		}
	}
}

// A hostile disk must not be able to change itself, and only one file is written.
func TestOnlyTheOutputIsWritable(t *testing.T) {
	for _, d := range readDrives("/disk", "qcow2", "/out") {
		if d.Writable != (d.Path == "/out") {
			t.Errorf("%+v", d)
		}
	}
}

func TestOnlyModulesForDisksAreUnpacked(t *testing.T) {
	for name, want := range map[string][2]bool{ // module, index
		"lib/modules/6.1/kernel/fs/btrfs/btrfs.ko.xz":  {true, false},
		"usr/lib/modules/6.1/kernel/drivers/md/dm.ko":  {true, false},
		"usr/lib/modules/6.1/kernel/net/ipv4/x.ko":     {false, false},
		"usr/lib/modules/6.1/modules.builtin":          {false, true},
		"usr/lib/modules/6.1/vdso.so":                  {false, false},
		"usr/lib/modules/6.2/kernel/fs/btrfs/btrfs.ko": {false, false},
		"usr/share/doc/lib/modules/6.1/modules.order":  {false, false},
	} {
		if module, index := moduleFile(name, "6.1"); module != want[0] || index != want[1] {
			t.Errorf("%s: module %v, index %v", name, module, index)
		}
	}
}

// Two trees that share folders must not put one into the archive twice, and files of
// an old /lib must be where the links of the archive lead.
func TestTreesAreMergedBelowUsr(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/usr/lib/libc.so.6", "b/lib/modules/6.1/x.ko", "b/usr/lib/y.so"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("libc.so.6", filepath.Join(dir, "a/usr/lib/libc.so")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, initrdFile)
	if err := pack(file, []byte("#!/bin/sh\n"), filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range records {
		names = append(names, r.Name)
	}
	for _, want := range []string{"init", "usr/lib/libc.so.6", "usr/lib/libc.so", "usr/lib/modules/6.1/x.ko", "usr/lib/y.so"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s in %q", want, names)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("one name twice in %q", names)
	}
}
