// Package qemu starts a QEMU machine, talks to its console and its monitor,
// and makes sure that it ends.
package qemu

import "time"

// Timeouts is every wait for a guest. Each protects against a guest or a QEMU
// that never answers; none is meant to be reached.
type Timeouts struct {
	Boot     time.Duration // from QEMU's start to the agent's hello
	Restore  time.Duration // from a restored guest's start to its agent's answer
	Migrate  time.Duration // to write a guest's state to a file, or to read it
	Quiet    time.Duration // without a record before the host asks again, which also wakes a guest that lost a timer
	Probe    time.Duration // one probe run, enforced by the agent
	Watchdog time.Duration // beyond Probe, before the guest is taken for dead
	Epitaph  time.Duration // from a panic's first line to the kill
	Monitor  time.Duration // one QMP command
	Quit     time.Duration // from the order to quit to the kill
	SelfTest time.Duration // for KVM to boot a kernel to its first console line
}

// base is for KVM, or amd64 under TCG on an idle machine with a wide margin:
// shared CI machines are slow in bursts.
var base = Timeouts{
	Boot:     90 * time.Second,
	Restore:  10 * time.Second,
	Migrate:  30 * time.Second,
	Quiet:    1 * time.Second,
	Probe:    240 * time.Second, // the limits probe makes thousands of processes
	Watchdog: 30 * time.Second,
	Epitaph:  3 * time.Second,
	Monitor:  10 * time.Second,
	Quit:     1 * time.Second,
	SelfTest: 2 * time.Second,
}

// TimeoutsFor scales the waits that depend on the guest's speed: by two under
// TCG, and by the architecture's slowness.
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
