package target

import (
	"errors"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/poc/wire"
)

// TestABusyHostIsNotTakenForAKernelThatHangs fails if a guest that gets little CPU must do
// things as fast as one that gets all, or if what its probe gave up is believed all the same.
func TestABusyHostIsNotTakenForAKernelThatHangs(t *testing.T) {
	for _, c := range []struct {
		name    string
		before  qemu.Pace
		during  qemu.Pace
		stretch int
		starved bool
	}{
		{"an idle host", qemu.Pace{Ran: time.Second, Waited: time.Second / 3}, qemu.Pace{Ran: time.Minute, Waited: time.Minute}, 1, false},
		{"a CPU that two guests share", qemu.Pace{Ran: 10 * time.Second, Waited: 9 * time.Second}, qemu.Pace{Ran: 7 * time.Second, Waited: 9 * time.Second}, 2, false},
		{"a host of which nothing is known", qemu.Pace{}, qemu.Pace{}, 1, false},
		{"a busy host", qemu.Pace{Ran: time.Second, Waited: 4 * time.Second}, qemu.Pace{Ran: 10 * time.Second, Waited: 80 * time.Second}, 5, false},
		{"a busier host", qemu.Pace{Ran: time.Second, Waited: 4 * time.Second}, qemu.Pace{Ran: 10 * time.Second, Waited: 100 * time.Second}, 5, true},
		{"a host that grows busy", qemu.Pace{Ran: time.Second}, qemu.Pace{Ran: 5 * time.Second, Waited: 6 * time.Second}, 1, true},
		{"a short wait", qemu.Pace{Ran: time.Second}, qemu.Pace{Ran: time.Second, Waited: 4 * time.Second}, 1, false},
		{"a hopeless host", qemu.Pace{Ran: time.Second, Waited: time.Hour}, qemu.Pace{Ran: time.Second, Waited: time.Hour}, wire.MaxStretch, true},
	} {
		var asked wire.Request
		s, p := talk(nil)
		p.pace = c.before
		p.answer = func(r wire.Request) error {
			asked = r
			p.pace.Ran, p.pace.Waited = p.pace.Ran+c.during.Ran, p.pace.Waited+c.during.Waited
			s.frame(recordFrame(t, 0, done(1)))
			return nil
		}
		_, err := s.probe(t.Context(), "p", nil)
		var refused *starvedError
		if starved := errors.As(err, &refused); starved != c.starved || !starved && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		limit := s.timeouts.Probe * time.Duration(c.stretch)
		if asked.Stretch != c.stretch || asked.TimeoutMS != int(limit/time.Millisecond) {
			t.Errorf("%s: the waits are stretched by %d, and the limit is %d ms; want %d and %v", c.name, asked.Stretch, asked.TimeoutMS, c.stretch, limit)
		}
	}
}
