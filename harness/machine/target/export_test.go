package target

import (
	"github.com/mapstack/conformance/harness/internal/fakeqemu"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Folder returns the folder with our programs on a running system; "" if there is none.
func (h *Hosted) Folder() string { return h.dir }

// Line returns what kills the program through which the host talks to an agent now. An agent
// that runs a probe may get another one at any time.
func Line(a Agent) (disconnect func()) { return a.(*hostedAgent).process.kill }

// BootedConfig starts the fake of QEMU, which opens no disk.
func BootedConfig(rec arch.Record, script string) qemu.Config {
	return qemu.Config{Prefix: fakeqemu.Prefix(script), Arch: rec, Machine: rec.Machines[""], Accel: qemu.TCG, CPUs: 1, Memory: 1,
		System: "/disk", SystemFormat: "raw", Programs: "/programs"}
}
