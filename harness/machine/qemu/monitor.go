package qemu

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// maxMessage bounds one QMP message, in bytes.
const maxMessage = 1 << 20

// monitor is a QMP client. It keeps two kinds of events: the reason why the guest
// ended, and the end of a migration.
type monitor struct {
	conn      net.Conn
	replies   chan message
	migration chan string // how a migration ended: "completed" or "failed"

	calling sync.Mutex // one command at a time
	id      int
	gone    chan struct{} // closed when the connection ends

	mu       sync.Mutex
	shutdown string // the reason in the first SHUTDOWN event
}

type message struct {
	QMP    json.RawMessage `json:"QMP"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	ID    int             `json:"id"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

// newMonitor reads replies and events in the background until conn ends.
func newMonitor(conn net.Conn) *monitor {
	m := &monitor{conn: conn, replies: make(chan message, 16), migration: make(chan string, 1), gone: make(chan struct{})}
	go m.read()
	return m
}

func (m *monitor) read() {
	defer close(m.gone)
	lines := bufio.NewScanner(m.conn)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		var msg message
		if err := json.Unmarshal(lines.Bytes(), &msg); err != nil {
			return
		}
		switch {
		case msg.Event == "SHUTDOWN":
			m.noteShutdown(msg.Data)
		case msg.Event == "MIGRATION":
			m.noteMigration(msg.Data)
		case msg.Event != "", msg.QMP != nil:
		default:
			select {
			case m.replies <- msg:
			default: // more replies than commands
			}
		}
	}
}

func (m *monitor) noteShutdown(data json.RawMessage) {
	var event struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(data, &event) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shutdown = cmp.Or(m.shutdown, event.Reason)
}

func (m *monitor) noteMigration(data json.RawMessage) {
	var event struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(data, &event) != nil || event.Status != "completed" && event.Status != "failed" {
		return
	}
	select {
	case m.migration <- event.Status:
	default: // one is kept already; a machine is saved or restored once
	}
}

func (m *monitor) shutdownReason() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shutdown
}

// ErrMonitorGone means that QEMU is ending, or has ended.
var ErrMonitorGone = errors.New("QEMU closed its monitor")

// request is a QMP command.
type request struct {
	Execute   string `json:"execute"`
	Arguments any    `json:"arguments,omitempty"`
	ID        int    `json:"id"`
}

// execute sends one command and returns QEMU's reply. ctx must end at some time.
// arguments may be nil.
func (m *monitor) execute(ctx context.Context, command string, arguments any) (json.RawMessage, error) {
	m.calling.Lock()
	defer m.calling.Unlock()
	m.id++
	line, err := json.Marshal(request{command, arguments, m.id})
	if err != nil {
		return nil, fmt.Errorf("QMP %s: %w", command, err)
	}
	_ = m.conn.SetWriteDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { _ = m.conn.SetWriteDeadline(time.Now()) })()
	if _, err := m.conn.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("QMP %s: %w", command, err)
	}
	for {
		select {
		case reply := <-m.replies:
			if reply.ID != m.id {
				continue // the reply to a command that timed out
			}
			if reply.Error != nil {
				return nil, fmt.Errorf("QMP %s: %s: %s", command, reply.Error.Class, reply.Error.Desc)
			}
			return reply.Return, nil
		case <-m.gone:
			return nil, fmt.Errorf("QMP %s: %w", command, ErrMonitorGone)
		case <-ctx.Done():
			return nil, fmt.Errorf("QMP %s: no answer %w", command, context.Cause(ctx))
		}
	}
}
