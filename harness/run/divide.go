package run

import (
	"cmp"
	"slices"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/stage0"
)

// division says which probes of a cell use a guest together.
type division struct {
	shared []string // leave nothing behind, and run in one guest
	taxing []string // use up what the machine has, and run in another one, in this order
	alone  [][]string
}

// divide divides the probes of a cell. The first one also runs in the shared guest if it is
// the one that says what the guest is.
func divide(probes []string, shares func(string) bool, turn func(string) int) (d division) {
	if len(probes) > 0 && probes[0] == catalog.Facts {
		d.shared, probes = append(d.shared, probes[0]), probes[1:]
	}
	for _, probe := range probes {
		switch {
		case shares(probe):
			d.shared = append(d.shared, probe)
		case turn(probe) > 0:
			d.taxing = append(d.taxing, probe)
		default:
			d.alone = append(d.alone, []string{probe})
		}
	}
	slices.SortFunc(d.taxing, func(a, b string) int { return cmp.Compare(turn(a), turn(b)) })
	return d
}

// Planned returns the probes of a cell by the guests in which they would run. Stage 0 is in
// none of them: every guest begins with it.
func Planned(cell matrix.Cell, probes []string, isolate bool) (guests [][]string) {
	probes = slices.DeleteFunc(slices.Clone(probes), func(p string) bool { return p == stage0.Probe })
	d := divide(probes, func(probe string) bool {
		program, _ := catalog.Lookup(probe)
		return program.SharesOn(cell.Arch) && !isolate
	}, func(probe string) int {
		program, _ := catalog.Lookup(probe)
		if isolate {
			return 0
		}
		return program.Turn
	})
	for _, guest := range append([][]string{d.shared, d.taxing}, d.alone...) {
		if len(guest) > 0 {
			guests = append(guests, guest)
		}
	}
	return guests
}
