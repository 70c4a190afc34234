package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// registersFile is the end of the name of the file beside a saved state that
// holds the values of the registers which QEMU does not save.
const registersFile = ".registers"

// Save stops the guest and writes its state to the file path: CPUs, devices,
// and all memory but Config.RAM, which the file of that name has already. What
// QEMU leaves out, by arch.Machine.Unsaved, goes into a file beside it. A
// machine is not used again after it.
func (m *Machine) Save(ctx context.Context, path string, machine arch.Machine) (err error) {
	defer attempted("save the guest", &err)
	ctx, cancel := context.WithTimeout(ctx, m.timeouts.Migrate)
	defer cancel()
	if _, err := m.monitor.execute(ctx, "stop", nil); err != nil {
		return err
	}
	if err := m.migrate(ctx, "migrate", path); err != nil {
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

// Load lets a machine that was started with Config.Restore go on from the
// state that Save wrote to the file path.
func (m *Machine) Load(ctx context.Context, path string, machine arch.Machine) (err error) {
	defer attempted("restore the guest", &err)
	ctx, cancel := context.WithTimeout(ctx, m.timeouts.Migrate)
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
		return fmt.Errorf("%d register values were saved, the machine has %d", len(values), len(machine.Unsaved))
	}
	if err := m.migrate(ctx, "migrate-incoming", path); err != nil {
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

// attempted says in an error what it kept from being done.
func attempted(what string, err *error) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", what, *err)
	}
}

type capability struct {
	Capability string `json:"capability"`
	State      bool   `json:"state"`
}

// migrate moves the guest's state to or from a file and waits until it is there.
func (m *Machine) migrate(ctx context.Context, command, path string) error {
	for _, c := range []struct {
		command   string
		arguments any
	}{
		{"migrate-set-capabilities", map[string]any{"capabilities": []capability{
			// The guest's memory is a file and stays there: a restore maps it,
			// copy on write, in no time, and guests share what they only read.
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
		return fmt.Errorf("QMP %s: %w", command, errMonitorGone)
	case <-ctx.Done():
		return fmt.Errorf("QMP %s: %w", command, ctx.Err())
	}
}
