package trace

import (
	"testing"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
)

// call is struct seccomp_data.
type call struct {
	number, arch uint32
	instruction  uint64
	arguments    [6]uint64
}

// verdictOf runs a filter on a call as the kernel does.
func verdictOf(t *testing.T, filter []Instruction, c call) uint32 {
	t.Helper()
	var loaded uint32
	jump := func(i Instruction, yes bool) int {
		if yes {
			return int(i.JT)
		}
		return int(i.JF)
	}
	for pc := 0; pc < len(filter); pc++ {
		switch i := filter[pc]; i.Code {
		case LoadWord:
			if i.K%4 != 0 || uintptr(i.K) >= unsafe.Sizeof(c) {
				t.Fatalf("instruction %d loads offset %d", pc, i.K)
			}
			loaded = *(*uint32)(unsafe.Pointer(uintptr(unsafe.Pointer(&c)) + uintptr(i.K)))
		case JumpEqual:
			pc += jump(i, loaded == i.K)
		case JumpSet:
			pc += jump(i, loaded&i.K != 0)
		case GiveBack:
			return i.K
		default:
			t.Fatalf("instruction %d is %+v", pc, i)
		}
	}
	t.Fatal("the filter does not end")
	return 0
}

// TestFiltersAnswerTheirCallsOnly fails if a filter answers other calls, or misses
// its own: the first, the last, or one between.
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
			if got := verdictOf(t, program, call{number: uint32(c.Value)}); got != want {
				t.Errorf("%s: %s is answered %#x", k.GOARCH, c.Name, got)
			}
		}
	}
}

// TestFlagsAreLookedForInTheirArgument fails if a filter for clone with a flag also
// answers a fork. os/exec would then fail where only threads should. It also fails
// if the flag is missed beside others.
func TestFlagsAreLookedForInTheirArgument(t *testing.T) {
	const clone, flag, answer = 120, 0x10000, Error | 11
	for argument := 0; argument < 6; argument++ {
		program := FilterFlag(answer, clone, argument, flag)
		with := func(number uint32, at int, value uint64) call {
			c := call{number: number}
			c.arguments[at] = value
			return c
		}
		for _, tc := range []struct {
			call call
			want uint32
		}{
			{with(clone, argument, 0x50f00), answer},
			{with(clone, argument, 0x10000), answer},
			{with(clone, argument, 0x4111), Allow},
			{with(clone, argument, 0x10000<<32), Allow},
			{with(clone, (argument+1)%6, 0x50f00), Allow},
			{with(clone+1, argument, 0x50f00), Allow},
		} {
			if got := verdictOf(t, program, tc.call); got != tc.want {
				t.Errorf("argument %d, %+v: %#x, want %#x", argument, tc.call, got, tc.want)
			}
		}
	}
}
