// Package qemu starts a QEMU machine, talks to its console and its monitor,
// and makes sure that it ends.
package qemu

import "time"

// Timeouts holds every wait for a guest. Each protects against a guest or a QEMU
// that never answers. None is reached when all is well.
type Timeouts struct {
	Boot     time.Duration // from QEMU's start to the agent's hello
	Restore  time.Duration // from a restored guest's start to its agent's answer
	Migrate  time.Duration // to write a guest's state to a file, or to read it
	Quiet    time.Duration // without a record until the host asks again; this also wakes a guest that lost a timer interrupt
	Probe    time.Duration // one probe run, enforced by the agent
	Watchdog time.Duration // beyond Probe, until the guest counts as dead
	Epitaph  time.Duration // from a panic's first line to the kill
	Monitor  time.Duration // one QMP command
	Quit     time.Duration // for a QEMU or an agent that is ending, until it is killed
	SelfTest time.Duration // for KVM to boot a kernel to its first console line
}

// base holds the waits under KVM. The margins are wide, since shared CI machines are
// slow at times.
var base = Timeouts{
	Boot:     90 * time.Second,
	Restore:  10 * time.Second,
	Migrate:  30 * time.Second,
	Quiet:    1 * time.Second,
	Probe:    240 * time.Second, // the limits probe starts thousands of processes
	Watchdog: 30 * time.Second,
	Epitaph:  3 * time.Second,
	Monitor:  10 * time.Second,
	Quit:     1 * time.Second,
	SelfTest: 2 * time.Second,
}

// TimeoutsFor returns the waits for an accelerator. Under TCG, those that depend on
// the guest's speed are twice as long, times the architecture's slowness.
func TimeoutsFor(accel Accel, slowness int) Timeouts {
	scale := time.Duration(1)
	if accel == TCG {
		scale = 2 * time.Duration(max(slowness, 1))
	}
	t := base
	t.Boot *= scale
	t.Restore *= scale
	t.Probe *= scale
	t.Watchdog *= scale
	return t
}
