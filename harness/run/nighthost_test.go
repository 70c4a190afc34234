package run

import (
	"sync"
	"time"
)

// sharedHost models the cores of a host that several guests share alike. It runs on the clock of
// a bubble of testing/synctest, which moves on when everybody waits.
type sharedHost struct {
	cores float64

	mu    sync.Mutex
	jobs  []*job
	at    time.Time // when the rest was true
	idled float64   // seconds of cores that nobody used
	timer *time.Timer

	looked   float64 // idled, and the time, when idle was called last
	lookedAt time.Time
	began    time.Time
}

// job is a guest that computes. It uses one core at most.
type job struct {
	left  float64 // seconds of CPU
	ended chan struct{}
}

func newSharedHost(cores float64) *sharedHost {
	now := time.Now()
	return &sharedHost{cores: cores, at: now, lookedAt: now, began: now}
}

// burn uses seconds of CPU, and returns when the host had them.
func (h *sharedHost) burn(seconds float64) {
	if seconds <= 0 {
		return
	}
	j := &job{left: seconds, ended: make(chan struct{})}
	h.mu.Lock()
	h.advance()
	h.jobs = append(h.jobs, j)
	h.arm()
	h.mu.Unlock()
	<-j.ended
}

// rate is the part of a core that each job has.
func (h *sharedHost) rate() float64 {
	if len(h.jobs) == 0 {
		return 0
	}
	return min(1, h.cores/float64(len(h.jobs)))
}

// advance gives every job what it had since the last call.
func (h *sharedHost) advance() {
	now := time.Now()
	passed, rate := now.Sub(h.at).Seconds(), h.rate()
	h.at = now
	h.idled += passed * (h.cores - rate*float64(len(h.jobs)))
	for _, j := range h.jobs {
		j.left -= passed * rate
	}
}

// arm ends the jobs that have nothing left, and waits for the next one.
func (h *sharedHost) arm() {
	if h.timer != nil {
		h.timer.Stop()
	}
	const nothing = 1e-9 // of a second: the clock's step
	next := -1.0
	kept := h.jobs[:0]
	for _, j := range h.jobs {
		if j.left <= nothing {
			close(j.ended)
			continue
		}
		kept = append(kept, j)
		if next < 0 || j.left < next {
			next = j.left
		}
	}
	h.jobs = kept
	if next < 0 {
		return
	}
	h.timer = time.AfterFunc(time.Duration(next/h.rate()*1e9)+1, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.advance()
		h.arm()
	})
}

// idle returns how many cores were idle since it was called last, as hostIdle does.
func (h *sharedHost) idle() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advance()
	idle, passed := h.idled-h.looked, h.at.Sub(h.lookedAt).Seconds()
	h.looked, h.lookedAt = h.idled, h.at
	if passed <= 0 {
		return 0
	}
	return idle / passed
}

// used returns the part of the cores' time that was used so far.
func (h *sharedHost) used() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advance()
	return 1 - h.idled/(h.cores*h.at.Sub(h.began).Seconds())
}
