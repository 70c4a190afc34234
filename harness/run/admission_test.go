package run

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestGuestsGetACoreEachUnlessTheHostIdles fails if guests that only wait keep others from
// running, or if a busy host gets more guests than cores.
func TestGuestsGetACoreEachUnlessTheHostIdles(t *testing.T) {
	for _, c := range []struct {
		name string
		idle float64 // cores
		want int32   // guests at once, on two cores
	}{
		{"busy", 0, 2},
		{"a little idle", 0.3, 2},
		{"idle", 1.5, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAdmission(2, func() float64 { return c.idle })
				var running, peak atomic.Int32
				var group sync.WaitGroup
				for range 10 {
					group.Go(func() {
						if err := a.acquire(t.Context()); err != nil {
							t.Error(err)
							return
						}
						defer a.release()
						now := running.Add(1)
						defer running.Add(-1)
						for old := peak.Load(); now > old && !peak.CompareAndSwap(old, now); old = peak.Load() {
						}
						time.Sleep(10 * time.Second)
					})
				}
				group.Wait()
				if peak.Load() != c.want {
					t.Errorf("%d guests ran at once, want %d", peak.Load(), c.want)
				}
				time.Sleep(time.Minute)
				if a.running != 0 || len(a.waiting) != 0 || a.looking {
					t.Errorf("%d run, %d wait, looking: %v", a.running, len(a.waiting), a.looking)
				}
			})
		})
	}
}

// TestAGuestThatGivesUpWaitingTakesNoPlace fails if a stopped run keeps places.
func TestAGuestThatGivesUpWaitingTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(1, func() float64 { return 0 })
		if err := a.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		a.release()
		if err := a.acquire(t.Context()); err != nil {
			t.Error(err)
		}
		a.release()
		time.Sleep(time.Minute)
		if a.running != 0 || len(a.waiting) != 0 {
			t.Errorf("%d run, %d wait", a.running, len(a.waiting))
		}
	})
}

func TestTheHostTellsItsIdleTime(t *testing.T) {
	if ticks, at := idleTicks(); ticks == 0 || at.IsZero() {
		t.Errorf("%d ticks at %v", ticks, at)
	}
	if idle := hostIdle()(); idle < 0 || idle > 1<<12 {
		t.Errorf("%f cores are idle", idle)
	}
}
