package qemu

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// devices returns a machine with a false qtest server, and the list of commands that
// the server gets. The machine's monitor reports two CPUs.
func devices(t *testing.T, answer func(command string) string) (*Machine, *[]string) {
	ours, theirs := net.Pipe()
	monitorOurs, monitorTheirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); monitorOurs.Close() })
	commands := &[]string{}
	go func() {
		for lines := bufio.NewScanner(theirs); lines.Scan(); {
			*commands = append(*commands, lines.Text())
			fmt.Fprintln(theirs, answer(lines.Text()))
		}
	}()
	go func() {
		for lines, id := bufio.NewScanner(monitorTheirs), 1; lines.Scan(); id++ {
			fmt.Fprintf(monitorTheirs, `{"return": [{"qom-path": "/cpu[0]"}, {"qom-path": "/cpu[1]"}], "id": %d}`+"\n", id)
		}
	}()
	return &Machine{devices: ours, monitor: newMonitor(monitorOurs)}, commands
}

func TestRegistersAreReadAndWrittenWhereTheyAre(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, commands := devices(t, func(c string) string {
		if strings.HasPrefix(c, "read") {
			return "OK 0x00000000000000ff"
		}
		return "OK"
	})
	registers := []arch.Register{{Read: 0x10, Write: 0x10, Bytes: 1}, {Read: 0x20, Write: 0x24, Bytes: 4}}
	values, err := m.readRegisters(ctx, registers)
	if err != nil || !slices.Equal(values, []uint64{0xff, 0xff}) {
		t.Fatalf("read %v, %v", values, err)
	}
	if err := m.writeRegisters(ctx, registers, []uint64{1, 2}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"readb 0x10", "readl 0x20", "writeb 0x10 0x1", "writel 0x24 0x2"}; !slices.Equal(*commands, want) {
		t.Errorf("asked %q, want %q", *commands, want)
	}
}

func TestEveryCPUsTimerIsRaised(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, commands := devices(t, func(string) string { return "OK" })
	if err := m.raiseTimers(ctx, 0); err != nil || len(*commands) != 0 {
		t.Errorf("where QEMU saves the timer: %v, asked %q", err, *commands)
	}
	if err := m.raiseTimers(ctx, 11); err != nil {
		t.Fatal(err)
	}
	if want := []string{"set_irq_in /cpu[0] unnamed-gpio-in 11 1", "set_irq_in /cpu[1] unnamed-gpio-in 11 1"}; !slices.Equal(*commands, want) {
		t.Errorf("asked %q, want %q", *commands, want)
	}
}

func TestADeviceThatRefusesIsAnError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, _ := devices(t, func(string) string { return "FAIL Unknown IRQ" })
	if err := m.raiseTimers(ctx, 11); err == nil || !strings.Contains(err.Error(), "Unknown IRQ") {
		t.Errorf("an unknown input: %v", err)
	}
	m, _ = devices(t, func(string) string { return "OK nonsense" })
	if _, err := m.readRegisters(ctx, []arch.Register{{Read: 1, Bytes: 1}}); err == nil {
		t.Error("a value that is no number was taken")
	}
}
