// Package assembler assembles stage 0, a static program without a runtime. Stage 0
// asks a kernel for what a runtime relies on, reports the answers in frames of the
// wire protocol, and then becomes the agent. It needs no compiler, so it runs even
// where no Go program can be built or started.
//
// The program is written once, in the few portable operations of assembler. An
// encoder translates them for each architecture.
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

// machine holds the encoder of one architecture and the fields of its programs' ELF
// headers.
type machine struct {
	encoder encoder
	elf     elf.Machine
	flags   uint32
}

// sw64Machine is the number in today's programs, which is not the registered one.
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
