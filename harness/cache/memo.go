package cache

import (
	"context"
	"fmt"
	"sync"
)

// Memo remembers results by key until the process ends. One caller makes a result;
// the others wait for it, each until its own context ends. A failure is not
// remembered, so a cancelled caller does not fail the rest. The zero Memo is empty.
type Memo[V any] struct {
	mu      sync.Mutex
	entries map[string]*memoEntry[V]
}

type memoEntry[V any] struct {
	turn  chan struct{} // holds one token while somebody makes or reads value
	known bool
	value V
}

// Get returns the result for key. build makes it if nobody has yet. If the wait for
// another caller ends, the error names the key.
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
