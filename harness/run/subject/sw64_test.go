package subject

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/internal/fakeqemu"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/intake"
)

func TestMain(m *testing.M) {
	fakeqemu.Play()
	os.Exit(m.Run())
}

// board is a bench whose emulator of sw64 plays a script and finds its firmware in a folder.
func board(t *testing.T, script string, firmware ...string) (*workbench.Bench, arch.Record) {
	t.Helper()
	rec, err := arch.Lookup("sw64")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	folder := t.TempDir()
	for _, name := range firmware {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	emulator := filepath.Join(t.TempDir(), "qemu-system-sw64")
	text := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in\n*--version*) echo QEMU emulator version 6.2.0 ;;\n*\"-L help\") echo %s ;;\n*) exec", folder)
	for _, word := range fakeqemu.Prefix(script) {
		text += " '" + word + "'"
	}
	text += " \"$@\" ;;\nesac\n"
	if err := os.WriteFile(emulator, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	bench, err := workbench.Open(t.Context(), workbench.Options{Dir: ".", Data: os.DirFS(filepath.Join("..", "..", "..", "fixtures")),
		Sink: progress.Discard, Offline: true, Supplied: []string{"SW64_QEMU=" + emulator}})
	if err != nil {
		t.Fatal(err)
	}
	return bench, rec
}

// TestAWholeSystemBootsOnABoard fails if a board of sw64 gets a kernel or a -bios that it does not
// know, or if the owner must name a kernel that is on the disk.
func TestAWholeSystemBootsOnABoard(t *testing.T) {
	bench, rec := board(t, "sw64 boots a system", "core3-hmcode", "uefi-bios-sw")
	disk := filepath.Join(t.TempDir(), "system.img")
	if err := os.WriteFile(disk, make([]byte, 4096), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := FullBoot{Image: disk, Login: "root"}.machine(t.Context(), bench, rec, intake.Disk{Format: "raw"}, intake.Found{})
	if err != nil {
		t.Fatal(err)
	}
	// printf %s NAME | sha256sum
	if want := "core3-hmcode, SHA-256 fba692fd"; !strings.HasPrefix(m.evidence.Firmware, want) || !strings.Contains(m.evidence.Firmware, "; uefi-bios-sw, SHA-256 ") {
		t.Errorf("firmware %q", m.evidence.Firmware)
	}
	system := &target.Booted{Machine: m.config, Arch: rec, Login: target.Login{User: "root", Password: "secret"}, Timeouts: qemu.TimeoutsFor(m.config.Accel, rec.Slowness)}
	defer system.Close()
	agent, _, err := system.Start(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := agent.Run(t.Context(), "p", nil)
	if err != nil || len(tr.Observations) != fakeqemu.Observations {
		t.Errorf("%d observations, %v", len(tr.Observations), err)
	}
	if err := agent.Stop(); err != nil {
		t.Error(err)
	}
}

// TestABoardWithoutFirmwareForADiskSaysWhatIsMissing fails if the owner of a system learns that
// from a machine that ends at once.
func TestABoardWithoutFirmwareForADiskSaysWhatIsMissing(t *testing.T) {
	bench, rec := board(t, "sw64 boots a system", "core3-hmcode")
	for want, f := range map[string]FullBoot{
		"boots a disk by the firmware core3-hmcode and uefi-bios-sw; put both into one folder and set SW64_FIRMWARE to it": {Image: "disk"},
		"takes no firmware by --firmware: leave that out, and put uefi-bios-sw into the folder that SW64_FIRMWARE names":   {Image: "disk", Firmware: "OVMF.fd"},
	} {
		if _, err := f.machine(t.Context(), bench, rec, intake.Disk{Format: "raw"}, intake.Found{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
