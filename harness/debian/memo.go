package debian

import (
	"context"
	"fmt"
	"sync"
)

// memo remembers results by key. One caller makes a result and the others wait
// for it; a failure is not remembered, so that a cancelled caller spoils
// nothing for the rest.
type memo[V any] struct {
	mu      sync.Mutex
	entries map[string]*memoEntry[V]
}

type memoEntry[V any] struct {
	turn  chan struct{} // holds one token while somebody makes or reads value
	known bool
	value V
}

func (m *memo[V]) get(ctx context.Context, key string, build func() (V, error)) (V, error) {
	m.mu.Lock()
	if m.entries == nil {
		m.entries = make(map[string]*memoEntry[V])
	}
	e, ok := m.entries[key]
	if !ok {
		e = &memoEntry[V]{turn: make(chan struct{}, 1)}
		m.entries[key] = e
	}
	m.mu.Unlock()

	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		var none V
		return none, fmt.Errorf("wait for %s: %w", key, context.Cause(ctx))
	}
	if e.known {
		return e.value, nil
	}
	v, err := build()
	if err == nil {
		e.value, e.known = v, true
	}
	return v, err
}
