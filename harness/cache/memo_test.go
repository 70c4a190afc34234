package cache

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

func TestWhoIsStoppedSpoilsNothingForTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memo[int]
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			_, err := m.Get(ctx, "x", func() (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the stopped maker got %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			v, err := m.Get(t.Context(), "x", func() (int, error) { return 7, nil })
			if v != 7 || err != nil {
				t.Errorf("the next one got %d, %v", v, err)
			}
		})
		synctest.Wait()
		cancel()
		group.Wait()
		v, err := m.Get(t.Context(), "x", func() (int, error) { t.Error("made twice"); return 8, nil })
		if v != 7 || err != nil {
			t.Errorf("the memo has %d, %v", v, err)
		}
	})
}

func TestWhoWaitsMayStopWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memo[int]
		release := make(chan struct{})
		go func() { _, _ = m.Get(t.Context(), "x", func() (int, error) { <-release; return 1, nil }) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Get(ctx, "x", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}
