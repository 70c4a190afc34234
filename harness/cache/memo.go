package cache

import (
	"context"
	"fmt"
	"sync"
)

// Memo remembers results by key for as long as the process runs. One caller
// makes a result and the others wait for it, each as long as its own context
// allows; a failure is not remembered, so that a cancelled caller spoils
// nothing for the rest. The zero Memo is empty.
type Memo[V any] struct {
	mu      sync.Mutex
	entries map[string]*memoEntry[V]
}

type memoEntry[V any] struct {
	turn  chan struct{} // holds one token while somebody makes or reads value
	known bool
	value V
}

// Get returns the result for key, which build makes if nobody has yet. key says
// in an error what was waited for.
func (m *Memo[V]) Get(ctx context.Context, key string, build func() (V, error)) (V, error) {
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
