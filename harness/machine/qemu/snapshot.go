package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// registersFile is the suffix of the file beside a saved state. The file holds the
// values of registers that QEMU does not save.
const registersFile = ".registers"

// Save stops the guest and writes the state of its CPUs and devices to the file
// path. The guest's memory is in the file Config.RAM already. Registers that QEMU
// does not save (arch.Machine.Unsaved) go into a second file. The machine must not
// be used again.
func (m *Machine) Save(ctx context.Context, path string, machine arch.Machine) (err error) {
	defer attempted("save the guest", &err)
	ctx, cancel := m.within(ctx, m.timeouts.Migrate)
	defer cancel()
	if _, err := m.monitor.execute(ctx, "stop", nil); err != nil {
		return err
	}
	state, err := m.handed.create(path, 0)
	if err != nil {
		return err
	}
	if err := m.migrate(ctx, "migrate", state); err != nil {
		return err
	}
	// Another user may restore it: QEMU makes a file that only its own user can read.
	if err := errors.Join(os.Chmod(path, 0o644), m.handed.takeBack()); err != nil {
		return err
	}
	values, err := m.readRegisters(ctx, machine.Unsaved)
	if err != nil {
		return err
	}
	b, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return os.WriteFile(path+registersFile, b, 0o644)
}

// Load continues a guest from the state that Save wrote to the file path. The
// machine must have been started with Config.Restore.
func (m *Machine) Load(ctx context.Context, path string, machine arch.Machine) (err error) {
	defer attempted("restore the guest", &err)
	ctx, cancel := m.within(ctx, m.timeouts.Migrate)
	defer cancel()
	b, err := os.ReadFile(path + registersFile)
	if err != nil {
		return err
	}
	var values []uint64
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	if len(values) != len(machine.Unsaved) {
		return fmt.Errorf("%d register values were saved, but the machine has %d registers", len(values), len(machine.Unsaved))
	}
	// Nothing new can be handed over: the state is in the folder of the memory.
	state, err := m.handed.below(path)
	if err != nil {
		return err
	}
	if err := m.migrate(ctx, "migrate-incoming", state); err != nil {
		return err
	}
	if err := m.writeRegisters(ctx, machine.Unsaved, values); err != nil {
		return err
	}
	if err := m.raiseTimers(ctx, machine.TimerInput); err != nil {
		return err
	}
	_, err = m.monitor.execute(ctx, "cont", nil)
	return err
}

// attempted adds to an error what was attempted.
func attempted(what string, err *error) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", what, *err)
	}
}

type capability struct {
	Capability string `json:"capability"`
	State      bool   `json:"state"`
}

// migrate writes the guest's state to a file, or reads it, and waits for the end.
func (m *Machine) migrate(ctx context.Context, command, path string) error {
	for _, c := range []struct {
		command   string
		arguments any
	}{
		{"migrate-set-capabilities", map[string]any{"capabilities": []capability{
			// The guest's memory is left out, since it is in a file already. A restore
			// only maps that file, and guests share the pages that they do not write.
			{"x-ignore-shared", true},
			{"events", true},
		}}},
		{command, map[string]any{"uri": "file:" + path}},
	} {
		if _, err := m.monitor.execute(ctx, c.command, c.arguments); err != nil {
			return err
		}
	}
	select {
	case status := <-m.monitor.migration:
		if status != "completed" {
			return fmt.Errorf("QMP %s %s", command, status)
		}
		return nil
	case <-m.monitor.gone:
		return fmt.Errorf("QMP %s: %w", command, ErrMonitorGone)
	case <-ctx.Done():
		return fmt.Errorf("QMP %s: not done %w", command, context.Cause(ctx))
	}
}
