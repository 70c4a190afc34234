package target

import (
	"fmt"
	"time"

	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/poc/wire"
)

// stretchFor returns how many times as long as on an idle host a probe may wait in a machine
// that has run at a pace so far. It is rounded, because guests of one run share CPUs: they
// wait for nearly as long as they run, and a little more later.
func stretchFor(p qemu.Pace) int {
	if p.Ran <= 0 {
		return 1 // nothing is known
	}
	return min(max(int((p.Ran+p.Waited).Round(p.Ran)/p.Ran), 1), wire.MaxStretch)
}

// starvedError says that a machine got so little CPU while a probe ran that what the probe
// waited for may have come later.
type starvedError struct {
	pace    qemu.Pace
	stretch int
}

func (e *starvedError) Error() string {
	return fmt.Sprintf("this busy host ran the guest for %v and let it wait for %v, so what the probe did not see within its limits, which were stretched by %d, shows nothing",
		e.pace.Ran.Round(time.Millisecond), e.pace.Waited.Round(time.Millisecond), e.stretch)
}

// starved returns an error if a probe that ran at a pace, with waits that were stretched, may
// have given up something too early. Its limits are long, so half of the time that they leave
// is enough. In a run that was starved for less than half of its shortest limit, none was met
// too early.
func starved(p qemu.Pace, stretch int) error {
	shortest := wire.ShortestWait * time.Duration(stretch)
	if p.Waited < shortest/2 || p.Ran+p.Waited <= 2*p.Ran*time.Duration(stretch) {
		return nil
	}
	return &starvedError{p, stretch}
}
