//go:build boot

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// lab boots the kernel of a cell with a system of a test's own.
type lab struct {
	t      *testing.T
	cell   matrix.Cell
	bench  *workbench.Bench
	record arch.Record
}

func openLab(t *testing.T, cell string) lab {
	t.Helper()
	bench, err := workbench.Open(t.Context(), workbench.Options{Dir: ".", Data: fixtures.FS(), Sink: progress.Discard})
	if err != nil {
		t.Fatal(err)
	}
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Select(all, matrix.Selection{Cell: cell})
	if err != nil {
		t.Fatal(err)
	}
	record, err := arch.Lookup(cells[0].Arch)
	if err != nil {
		t.Fatal(err)
	}
	return lab{t, cells[0], bench, record}
}

// config returns a machine with the cell's kernel and the files.
func (l lab) config(files []cpio.Record) qemu.Config {
	l.t.Helper()
	ctx := l.t.Context()
	kernel, err := l.bench.Kernels.Image(ctx, l.cell)
	if err != nil {
		l.t.Fatal(err)
	}
	emulator, err := l.bench.Toolbox.Find(ctx, l.record)
	if err != nil {
		l.t.Fatal(err)
	}
	machine, err := l.record.Machine(l.cell.Machine)
	if err != nil {
		l.t.Fatal(err)
	}
	return qemu.Config{Prefix: emulator.Argv, Arch: l.record, Machine: machine, Accel: qemu.TCG, CPUs: 2, Memory: 2048,
		Kernel: kernel.Path, Initrd: l.initramfs(files), Confined: emulator.Confined}
}

// boot runs the files until the guest ends, and returns what its console says.
func (l lab) boot(ctx context.Context, files []cpio.Record) string {
	l.t.Helper()
	var console bytes.Buffer // read when QEMU has ended
	guest, err := qemu.Start(ctx, l.config(files), &console, qemu.TimeoutsFor(qemu.TCG, l.record.Slowness))
	if err != nil {
		l.t.Fatal(err)
	}
	<-guest.Exited() // ctx bounds it
	if err := guest.Stop(); err != nil {
		l.t.Error(err)
	}
	return strings.ReplaceAll(console.String(), "\r", "")
}

func (l lab) initramfs(files []cpio.Record) string {
	l.t.Helper()
	var b bytes.Buffer
	w := cpio.Newc.Writer(&b)
	if err := cpio.WriteRecords(w, files); err != nil {
		l.t.Fatal(err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		l.t.Fatal(err)
	}
	path := filepath.Join(l.t.TempDir(), "own.cpio")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		l.t.Fatal(err)
	}
	return path
}
