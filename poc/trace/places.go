package trace

import "github.com/mapstack/conformance/poc/abi"

// places tells where the general registers (NT_PRSTATUS) show a call to a tracer, by
// kernels that do not describe it. Places count words of 64 bits.
type places struct {
	number             int // when the call begins
	instruction, stack int
	arguments          [6]int
	value              int // when the call ends
	failed             abi.FailureFlag
}

// placesOf returns the places of an architecture. It returns false for one whose
// registers poc/abi does not know.
func placesOf(k abi.Table) (places, bool) {
	registers, known := k.Registers()
	p, also := beginnings()[k.GOARCH]
	if !known || !also {
		return places{}, false
	}
	for i, at := range registers.Args {
		if at != abi.Unreachable { // what cannot be changed may still be read
			p.arguments[i] = at
		}
	}
	p.value, p.failed = registers.Result, registers.Failed
	return p, true
}

// beginnings returns the places that poc/abi does not have.
func beginnings() map[string]places {
	return map[string]places{
		// orig_rax, rip and rsp.
		"amd64": {number: 15, instruction: 16, stack: 19},
		// x8; sp and pc follow the 31 registers.
		"arm64": {number: 8, instruction: 32, stack: 31},
		// a7, era and sp. Every kernel of Linux that has this architecture describes
		// calls; these are the places of Linux 5.19.
		"loong64": {number: 11, instruction: 33, stack: 3},
		// v0, cp0_epc and sp.
		"mips64le": {number: 2, instruction: 34, stack: 29},
		// gpr[0], nip and gpr[1].
		"ppc64le": {number: 0, instruction: 32, stack: 1},
		// a7, pc and sp. a0 has the first argument until the call ends.
		"riscv64": {number: 17, instruction: 0, stack: 2, arguments: [6]int{10}},
		// The kernel puts the number into gpr 2 for the tracer
		// (arch/s390/kernel/entry.S). The address of the PSW and gpr 15.
		"s390x": {number: 4, instruction: 1, stack: 17},
		// r0; pc and ps follow the 31 registers, of which the last is the stack pointer.
		"sw64": {number: 0, instruction: 31, stack: 30},
	}
}

// least returns the bytes that the kernel gives for a program of the architecture, at
// least. It gives fewer for a program of 32 bits.
func (p places) least() uintptr {
	last := p.value
	for _, at := range append(p.arguments[:], p.number, p.instruction, p.stack, p.failed.Word) {
		if at > last {
			last = at
		}
	}
	return 8 * uintptr(last+1)
}

// result returns the value of a call that ended, or minus its errno.
func (p places) result(w *Words) (value uint64, failed bool) {
	const most = 4095 // MAX_ERRNO (include/linux/err.h)
	value = w.All[p.value]
	if p.failed.Mask == 0 {
		return value, value >= ^uint64(most-1)
	}
	if w.All[p.failed.Word]&p.failed.Mask == 0 {
		return value, false
	}
	return -value, true
}
