package trace

import (
	"testing"

	"github.com/mapstack/conformance/poc/abi"
)

// verdictOf runs a filter on the number of a call, as the kernel would.
func verdictOf(t *testing.T, filter []Instruction, number uint32) uint32 {
	t.Helper()
	var loaded uint32
	for pc := 0; pc < len(filter); pc++ {
		switch i := filter[pc]; i.Code {
		case LoadWord:
			if i.K != 0 {
				t.Fatalf("instruction %d loads offset %d; the number is at 0", pc, i.K)
			}
			loaded = number
		case JumpEqual:
			if loaded == i.K {
				pc += int(i.JT)
			} else {
				pc += int(i.JF)
			}
		case GiveBack:
			return i.K
		default:
			t.Fatalf("instruction %d is %+v", pc, i)
		}
	}
	t.Fatal("the filter does not end")
	return 0
}

// TestFiltersAnswerTheirCallsOnly fails if a filter lost other calls, or missed
// its own: the first, the last, or any between.
func TestFiltersAnswerTheirCallsOnly(t *testing.T) {
	for _, k := range abi.All() {
		mine := []uint64{k.Syscall.Mmap, k.Syscall.Clone, k.Syscall.Prctl}
		program := Filter(Stop, mine...)
		for _, c := range k.Syscall.Named() {
			if c.Value == 0 {
				continue
			}
			want := uint32(Allow)
			for _, number := range mine {
				if c.Value == number {
					want = Stop
				}
			}
			if got := verdictOf(t, program, uint32(c.Value)); got != want {
				t.Errorf("%s: %s is answered %#x", k.GOARCH, c.Name, got)
			}
		}
	}
}
