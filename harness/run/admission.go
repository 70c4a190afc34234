package run

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// admission decides how many guests run at once. Each of the first ones has a core of the
// host. A guest that waits leaves its core idle, so another is admitted while the host idles.
type admission struct {
	least, most int
	// idle returns how many cores of the host were idle since it was called last; 0 if that
	// is unknown.
	idle func() float64

	mu      sync.Mutex
	running int
	waiting []chan struct{} // closed when its guest is admitted; the first came first
	looking bool            // a goroutine looks whether the host idles
}

const (
	// lookEvery is how often the host is looked at while guests wait.
	lookEvery = 250 * time.Millisecond
	// idleEnough is how many cores must be idle for one more guest.
	idleEnough = 0.5
)

func newAdmission(cores int, idle func() float64) *admission {
	return &admission{least: cores, most: 2 * cores, idle: idle}
}

// acquire waits until a guest may run.
func (a *admission) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	if a.running < a.least && len(a.waiting) == 0 {
		a.running++
		a.mu.Unlock()
		return nil
	}
	admitted := make(chan struct{})
	a.waiting = append(a.waiting, admitted)
	if !a.looking {
		a.looking = true
		go a.look()
	}
	a.mu.Unlock()
	select {
	case <-admitted:
		return nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.waiting, admitted); i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
		return ctx.Err()
	}
	a.releaseLocked() // it was admitted just now
	return ctx.Err()
}

// release ends what acquire began.
func (a *admission) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.releaseLocked()
}

func (a *admission) releaseLocked() {
	a.running--
	if a.running < a.least {
		a.admitLocked()
	}
}

// admitLocked admits the guest that waits longest.
func (a *admission) admitLocked() {
	if len(a.waiting) == 0 {
		return
	}
	a.running++
	close(a.waiting[0])
	a.waiting = a.waiting[1:]
}

// look admits a guest each time that the host was idle, as long as guests wait.
func (a *admission) look() {
	a.idle() // of the time before nothing is wanted
	for tick := time.NewTicker(lookEvery); ; {
		<-tick.C
		idle := a.idle()
		a.mu.Lock()
		if len(a.waiting) == 0 {
			a.looking = false
			tick.Stop()
			a.mu.Unlock()
			return
		}
		if idle >= idleEnough && a.running < a.most {
			a.admitLocked()
		}
		a.mu.Unlock()
	}
}

// hostIdle returns a function for admission.idle. It reads the counters of this host.
func hostIdle() func() float64 {
	var before, at = idleTicks()
	return func() float64 {
		ticks, now := idleTicks()
		idle, took := ticks-before, now.Sub(at).Seconds()
		before, at = ticks, now
		if ticks == 0 || took <= 0 {
			return 0
		}
		return float64(idle) / ticksPerSecond / took
	}
}

// ticksPerSecond is USER_HZ, the unit of /proc/stat, on every architecture of a host.
const ticksPerSecond = 100

// idleTicks returns how long the cores of this host have been idle in all; 0 if that is
// unknown.
func idleTicks() (int64, time.Time) {
	now := time.Now()
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, now
	}
	// The first line is "cpu user nice system idle ...".
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	if len(f) < 5 || f[0] != "cpu" {
		return 0, now
	}
	ticks, err := strconv.ParseInt(f[4], 10, 64)
	if err != nil {
		return 0, now
	}
	return ticks, now
}
