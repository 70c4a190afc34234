package qemu

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// script writes a program that stands in for QEMU.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatAQEMULacksOfItsConfinementIsSaid(t *testing.T) {
	root := os.Geteuid() == 0
	for _, c := range []struct {
		name, text string
		filter     bool
		user       int
		lacks      []string
	}{
		{name: "everything works", text: "exit 0", filter: true, user: nobody},
		{name: "built without the filter", text: `case "$*" in *-sandbox*) echo no sandbox here >&2; exit 1;; esac`,
			user: nobody, lacks: []string{"without a filter of its system calls: exit status 1: \"no sandbox here"}},
		{name: "works as root alone", text: `[ "$(id -u)" != 65534 ] || exit 3`, filter: true, lacks: []string{"as root, and not as user 65534: exit status 3"}},
	} {
		if c.name == "works as root alone" && !root {
			continue // there is one user
		}
		got, lacks := TryConfinement(t.Context(), []string{script(t, c.text)})
		want := Confinement{Filter: c.filter, User: c.user}
		if !root {
			want.User = 0
		}
		if got != want || len(lacks) != len(c.lacks) {
			t.Errorf("%s: %+v, lacks %q; want %+v, %q", c.name, got, lacks, want, c.lacks)
			continue
		}
		for i, lack := range lacks {
			if !strings.Contains(lack, c.lacks[i]) {
				t.Errorf("%s: it lacks %q, want %q", c.name, lack, c.lacks[i])
			}
		}
	}
}

// TestAQEMUOfRootRunsAsNobodyAndReachesItsFiles fails if QEMU keeps root's rights or
// environment, or if it cannot read what it is given below folders that are root's alone.
func TestAQEMUOfRootRunsAsNobodyAndReachesItsFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has another user to run QEMU as")
	}
	t.Setenv("SECRET", "of root")
	dir := t.TempDir() // as everything below it, for root alone
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("content of "+name+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	snapshot := filepath.Join(dir, "snapshot")
	if err := os.Mkdir(snapshot, 0o755); err != nil {
		t.Fatal(err)
	}
	rec, err := arch.Lookup("amd64")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Prefix: []string{script(t, `
id -u; id -g; env
while [ $# -gt 0 ]; do
	case $1 in
	-kernel|-initrd) cat "$2";;
	-add-fd) fd=${2#fd=}; cat <&${fd%%,*};;
	-object) ram=${2#*mem-path=}; printf x >"${ram%%,*}" && echo wrote;;
	esac
	shift
done
echo end`)},
		Arch: rec, Machine: rec.Machines[""], Accel: TCG, CPUs: 1, Memory: 1, Confined: Confinement{Filter: true, User: nobody},
		Kernel: write("kernel", 0o644), Initrd: write("initrd", 0o644), RAM: filepath.Join(snapshot, "ram"),
		Drives: []Drive{{Serial: "image", Path: write("image", 0o600), Format: "raw"}},
	}
	var said bytes.Buffer
	m, err := Start(t.Context(), cfg, &said, testTimeouts)
	if err != nil {
		t.Fatal(err)
	}
	<-m.Exited()
	if m.Err() != nil {
		t.Fatal(m.Err())
	}
	text := said.String()
	for _, want := range []string{"65534\n65534\n", "content of kernel\n", "content of initrd\n", "content of image\n", "wrote\n", "end\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(text, "SECRET") {
		t.Error("it has root's environment")
	}
	if err := m.handed.takeBack(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(cfg.RAM)
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 || info.Mode() != 0o644 {
		t.Errorf("the memory belongs to %d, %v", owner, info.Mode())
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestQEMUHasTheFolderOfTemporaryFilesThatItIsGiven(t *testing.T) {
	dir := t.TempDir()
	h := &handover{}
	if os.Geteuid() == 0 {
		h.user = nobody // who may not enter the folders above
	}
	env, err := h.temporary(dir)
	if err != nil {
		t.Fatal(err)
	}
	l := launch{argv: []string{"sh", "-c", `echo x >"$TMPDIR/vl.1" && echo wrote`}, env: slices.Concat(environment(), env), handover: h}
	var said bytes.Buffer
	m, err := start(t.Context(), l, &said, testTimeouts)
	if err != nil {
		t.Fatal(err)
	}
	l.close()
	<-m.Exited()
	if _, err := os.Stat(filepath.Join(dir, "vl.1")); said.String() != "wrote\n" || m.Err() != nil || err != nil {
		t.Errorf("said %q, %v; the file: %v", said.String(), m.Err(), err)
	}
}

// TestABusyHostCostsNoConfinement fails if a try waits without end, or if one that was not
// done in time is taken for a QEMU that cannot be confined.
func TestABusyHostCostsNoConfinement(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if got, lacks := TryConfinement(ctx, []string{script(t, "exec sleep 3600")}); len(lacks) > 0 || !got.Filter || (got.User == 0) == (os.Geteuid() == 0) {
		t.Errorf("%+v, lacks %q", got, lacks)
	}
}
