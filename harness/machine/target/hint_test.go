package target

import (
	"io"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/machine/console"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/wire"
)

// TestABootThatDoesNotGoOnSaysWhatToLookAt fails if the owner of a kernel or an emulator is
// told that it hangs, and not what such a boot usually lacks.
func TestABootThatDoesNotGoOnSaysWhatToLookAt(t *testing.T) {
	sw64, err := arch.Lookup("sw64")
	if err != nil {
		t.Fatal(err)
	}
	core3 := sw64.Machines[""]
	const banner = "[    0.000000] Linux version 6.6.0 (vendor)\n"
	noRoot := banner + "[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(254,0)\n"
	for name, c := range map[string]struct {
		board   arch.Machine
		kind    failure.Kind
		console string
		started bool
		want    string // "" for no hint
	}{
		"no driver of the disk":      {core3, failure.NoInit, noRoot, false, "CONFIG_VIRTIO_PCI, CONFIG_VIRTIO_BLK, CONFIG_EXT4_FS; a distribution's kernel, which has them as modules, boots with its system"},
		"no initramfs":               {arch.Machine{Console: "ttyS0"}, failure.NoInit, noRoot, false, "CONFIG_BLK_DEV_INITRD"},
		"no timer":                   {core3, failure.Hang, banner + "[    0.000000] Console: colour dummy device 80x25\n", false, "--disable-kvm"},
		"a board without that fault": {arch.Machine{Console: "ttyS0"}, failure.Hang, banner, false, ""},
		"no console":                 {core3, failure.Hang, "reset all devices\n", false, "console ttyS0 built in"},
		"a probe hangs":              {core3, failure.Hang, banner, true, ""},
		"another panic":              {core3, failure.Panic, banner + "Kernel panic - not syncing: Fatal exception\n", false, ""},
	} {
		g := &Guest{board: c.board, stream: console.NewStream(io.Discard, func(wire.Frame) {}, func() {}, func(console.Crash) {})}
		if c.started {
			g.Started = 1
		}
		if _, err := g.stream.Write([]byte(c.console)); err != nil {
			t.Fatal(err)
		}
		if got := g.hint(c.kind, g.stream.Crash()); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
