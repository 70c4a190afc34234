package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// QEMU's qtest protocol gives access to devices: QMP can neither write a register nor
// raise an interrupt. Each command is a line, and so is each answer.

// access is the last letter of a command's name, by the register's size in bytes.
var access = map[int]string{1: "b", 4: "l"}

func (m *Machine) readRegisters(ctx context.Context, registers []arch.Register) ([]uint64, error) {
	values := make([]uint64, 0, len(registers))
	lines, done := m.deviceLines(ctx)
	defer done()
	for _, r := range registers {
		answer, err := m.device(lines, fmt.Sprintf("read%s %#x", access[r.Bytes], r.Read))
		if err != nil {
			return nil, err
		}
		value, err := strconv.ParseUint(strings.TrimPrefix(answer, "0x"), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("read register %#x: %w", r.Read, err)
		}
		values = append(values, value)
	}
	return values, nil
}

func (m *Machine) writeRegisters(ctx context.Context, registers []arch.Register, values []uint64) error {
	lines, done := m.deviceLines(ctx)
	defer done()
	for i, r := range registers {
		if _, err := m.device(lines, fmt.Sprintf("write%s %#x %#x", access[r.Bytes], r.Write, values[i])); err != nil {
			return err
		}
	}
	return nil
}

// raiseTimers raises the timer interrupt of every CPU, unless input is 0. It is
// harmless where the timer still runs: the kernel then finds no work to do.
func (m *Machine) raiseTimers(ctx context.Context, input int) error {
	if input == 0 {
		return nil
	}
	reply, err := m.monitor.execute(ctx, "query-cpus-fast", nil)
	if err != nil {
		return err
	}
	var cpus []struct {
		Path string `json:"qom-path"`
	}
	if err := json.Unmarshal(reply, &cpus); err != nil {
		return fmt.Errorf("QMP query-cpus-fast: %w", err)
	}
	lines, done := m.deviceLines(ctx)
	defer done()
	for _, cpu := range cpus {
		if _, err := m.device(lines, fmt.Sprintf("set_irq_in %s unnamed-gpio-in %d 1", cpu.Path, input)); err != nil {
			return err
		}
	}
	return nil
}

// deviceLines returns a reader of answers. Reads fail when ctx ends, until done is called.
func (m *Machine) deviceLines(ctx context.Context) (lines *bufio.Reader, done func() bool) {
	_ = m.devices.SetDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { _ = m.devices.SetDeadline(time.Now()) })
	return bufio.NewReader(io.LimitReader(m.devices, maxMessage)), stop
}

// device sends one command and returns the text after OK in the answer.
func (m *Machine) device(lines *bufio.Reader, command string) (string, error) {
	if _, err := io.WriteString(m.devices, command+"\n"); err != nil {
		return "", fmt.Errorf("qtest %s: %w", command, err)
	}
	answer, err := lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("qtest %s: %w", command, err)
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(answer), "OK")
	if !ok {
		return "", fmt.Errorf("qtest %s: answered %q", command, answer)
	}
	return strings.TrimSpace(rest), nil
}
