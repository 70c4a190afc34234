//go:build boot

package workbench

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/compiler"
)

// sw64's public board ignores -initrd, and no kernel for it can be downloaded. So the twin's
// kernel gets an initramfs without /init here. It then takes the guest image from the disk:
// read-only ext4, with stage 0, the agent and a probe.
func TestBootFromADiskWithoutAnInitramfs(t *testing.T) {
	bench, err := Open(t.Context(), Options{Dir: ".", Data: fixtures.FS(), Sink: progress.Discard})
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	if cells, err = matrix.Select(cells, matrix.Selection{Cell: "alpha-6.1"}); err != nil {
		t.Fatal(err)
	}
	cell := cells[0]
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := rec.Machine("disk")
	if err != nil {
		t.Fatal(err)
	}
	image, err := bench.Kernels.Image(t.Context(), cell)
	var missing *compiler.MissingError
	if errors.As(err, &missing) {
		t.Skip("not run:", missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	emulator, err := bench.Toolbox.Find(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	guest, err := bench.Guests.Image(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(guest.Disk)
	if err != nil {
		t.Fatal(err)
	}
	var none bytes.Buffer
	if err := cpio.WriteTrailer(cpio.Newc.Writer(&none)); err != nil {
		t.Fatal(err)
	}
	initrd := filepath.Join(t.TempDir(), "empty.cpio")
	if err := os.WriteFile(initrd, none.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	g, err := target.Boot(t.Context(), qemu.Config{Prefix: emulator.Argv, Arch: rec, Machine: machine, Accel: qemu.TCG, CPUs: cell.CPUs,
		Memory: cell.Memory, Kernel: image.Path, Initrd: initrd, Disk: guest.Disk}, qemu.TimeoutsFor(qemu.TCG, rec.Slowness), &console)
	if err != nil {
		t.Fatalf("%v\n%s", err, console.String())
	}
	transcript, err := g.Run(t.Context(), "facts", nil)
	if err := errors.Join(err, g.Stop()); err != nil {
		t.Fatal(err)
	}
	if len(transcript.Observations) < 5 || !transcript.Exit.Clean() {
		t.Errorf("%+v", transcript)
	}
	if _, spoke := g.Early(); !spoke {
		t.Error("stage 0 said nothing")
	}
	if !strings.Contains(console.String(), "Mounted root (ext4 filesystem) readonly") {
		t.Errorf("the root is not the disk:\n%s", console.String())
	}
	if after, err := os.ReadFile(guest.Disk); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the disk was written to, %v", err)
	}
}
