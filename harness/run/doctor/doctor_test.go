package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/kernel"
)

type resolve func(cell matrix.Cell) (kernel.Pin, error)

func (r resolve) Resolve(_ context.Context, cell matrix.Cell) (kernel.Pin, error) { return r(cell) }

// TestAMirrorThatCannotBeReachedIsOneFinding fails if doctor waits for a dead mirror once for
// each cell, or blames every kernel for it.
func TestAMirrorThatCannotBeReachedIsOneFinding(t *testing.T) {
	cells := []matrix.Cell{{Name: "a"}, {Name: "b"}}
	asked := 0
	_, err := kernels(t.Context(), resolve(func(matrix.Cell) (kernel.Pin, error) {
		asked++
		return kernel.Pin{}, fmt.Errorf("kernel of cell a: %w", debian.ErrUnreachable)
	}), cells)
	if !errors.Is(err, debian.ErrUnreachable) || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

func TestWhatIsMissingComesWithTheCommandThatSuppliesIt(t *testing.T) {
	found, err := kernels(t.Context(), resolve(func(cell matrix.Cell) (kernel.Pin, error) {
		if cell.Name == "b" {
			return kernel.Pin{}, errors.New("no such package\nand more")
		}
		return kernel.Pin{Image: kernel.File{Package: "linux-image", Version: "6.1"}}, nil
	}), []matrix.Cell{{Name: "a"}, {Name: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{
		{What: "kernel of a", State: "linux-image 6.1"},
		{What: "kernel of b", State: "no such package", Remedy: "mapstack fetch --cell b"},
	}
	if d := cmp.Diff(want, found); d != "" {
		t.Error(d)
	}
}

// TestACellThatIsBuiltHereNeedsCompilers fails if doctor is silent about missing compilers
// because another cell of the architecture needs none.
func TestACellThatIsBuiltHereNeedsCompilers(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	stock := matrix.Cell{Name: "stock", Arch: runtime.GOARCH}
	built := matrix.Cell{Name: "built", Arch: runtime.GOARCH, Kernel: matrix.Kernel{From: matrix.Source}}
	if found := parts(t.Context(), nil, []matrix.Cell{stock}); len(found) != 0 {
		t.Errorf("a kernel from a package needs %v", found)
	}
	want := []Finding{{What: "compilers for " + runtime.GOARCH, State: "not found: gcc, ld, make, flex, bison, bc",
		Remedy: "apt-get install gcc libc6-dev libelf-dev make flex bison bc"}}
	if d := cmp.Diff(want, parts(t.Context(), nil, []matrix.Cell{stock, built, built})); d != "" {
		t.Error(d)
	}
}

// TestAKernelWithoutDriversIsFoundBeforeItBoots fails if a driver that is a module counts as
// built in, or if a kernel that does not show its configuration is blamed.
func TestAKernelWithoutDriversIsFoundBeforeItBoots(t *testing.T) {
	board, named := arch.Machine{Console: "ttyS0", Disk: "virtio-blk-pci"}, []byte("# Limits\nCONFIG_USER_NS=y\n")
	const all = "CONFIG_SERIAL_8250_CONSOLE=y\nCONFIG_VIRTIO_PCI=y\nCONFIG_VIRTIO_BLK=y\n"
	for text, want := range map[string][]Finding{
		all + "CONFIG_EXT4_FS=y\nCONFIG_USER_NS=y\n": {
			{State: "built in: CONFIG_SERIAL_8250_CONSOLE, CONFIG_VIRTIO_PCI, CONFIG_VIRTIO_BLK, CONFIG_EXT4_FS"},
			{State: "all are on"}},
		"CONFIG_SERIAL_8250_CONSOLE=y\nCONFIG_VIRTIO_PCI=y\nCONFIG_VIRTIO_BLK=m\n# CONFIG_EXT4_FS is not set\n# CONFIG_USER_NS is not set\n": {
			{State: "not built in: CONFIG_VIRTIO_BLK, CONFIG_EXT4_FS",
				Remedy: "set CONFIG_VIRTIO_BLK=y, CONFIG_EXT4_FS=y and build the kernel again, or boot the whole system: mapstack run --os-image DISK --full-boot"},
			{State: "without CONFIG_USER_NS; the claims about these will be unsupported"}},
	} {
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want[0].What, want[1].What = "configuration of the kernel", "features that claims name"
		if d := cmp.Diff(want, configured(path, board, named)); d != "" {
			t.Error(d)
		}
	}
	if got := configured("", board, named); len(got) != 1 || got[0].Remedy != "" {
		t.Errorf("%+v", got)
	}
}

// TestAMachineThatTheEmulatorHasNotIsFoundBeforeItBoots fails if the owner of an emulator without
// the machine learns that from a boot.
func TestAMachineThatTheEmulatorHasNotIsFoundBeforeItBoots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "qemu-system-sw64")
	script := "#!/bin/sh\nprintf '%s\\n' 'Supported machines are:' 'core3  core3 BOARD' 'none  empty machine'\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	emulator := toolbox.QEMU{Argv: []string{path}}
	if got, err := offered(t.Context(), emulator, arch.Machine{Name: "core3"}); err != nil || got != "core3; the emulator offers core3, none" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := offered(t.Context(), emulator, arch.Machine{Name: "core4"}); err == nil || err.Error() != "the emulator has no machine core4; it has core3, none" {
		t.Errorf("%v", err)
	}
}
