// Package assembler assembles stage 0: a static program without a runtime that asks
// a kernel for what a runtime is going to rely on, reports it in frames of the
// wire protocol, and then becomes the agent. It needs no compiler, so that it
// also runs where no Go program can be had or can start.
//
// The program is written once, in the few portable operations of assembler;
// a machine encodes them for an architecture.
package assembler

import (
	"debug/elf"
	"fmt"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/stage0"
)

// Program returns stage 0 of an architecture as an ELF executable. The same
// revision gives the same bytes.
func Program(goarch string) ([]byte, error) {
	m, ok := machines()[goarch]
	if !ok {
		return nil, fmt.Errorf("assemble stage 0: %s", stage0.Unassembled(goarch))
	}
	table, ok := abi.Lookup(goarch)
	if !ok {
		return nil, fmt.Errorf("assemble stage 0 for %s: poc/abi has no table for it", goarch)
	}
	a := newAssembler(m.encoder)
	write(a, table)
	if err := a.link(); err != nil {
		return nil, fmt.Errorf("assemble stage 0 for %s: %w", goarch, err)
	}
	return image(m.elf, m.flags, a.code, a.data, a.reserved), nil
}

// machine is how one architecture is encoded, and what its programs' headers say.
type machine struct {
	encoder encoder
	elf     elf.Machine
	flags   uint32
}

// sw64Machine is what today's programs have; the registered number is another.
const sw64Machine elf.Machine = 0x9916

func machines() map[string]machine {
	return map[string]machine{
		"alpha": {alpha{isaAlpha}, elf.EM_ALPHA, 0},
		"amd64": {x86{}, elf.EM_X86_64, 0},
		"arm64": {aarch64{}, elf.EM_AARCH64, 0},
		// EF_LOONGARCH_ABI_DOUBLE_FLOAT, object ABI 1.
		"loong64": {loongarch{}, elf.EM_LOONGARCH, 0x43},
		// EF_MIPS_ARCH_64R2, EF_MIPS_NOREORDER.
		"mips64le": {mips64{}, elf.EM_MIPS, 0x80000001},
		"sw64":     {alpha{isaSW64}, sw64Machine, 0},
	}
}
