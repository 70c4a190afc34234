package trace

import (
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
)

// narrow tells where the registers show a call of a program of 32 bits, on a machine of 64
// bits that runs such programs too. Places count words of 32 bits.
type narrow struct {
	audit              uint32 // AUDIT_ARCH_* (include/uapi/linux/audit.h)
	words              int    // that NT_PRSTATUS has
	number             int
	instruction, stack int
	arguments          [6]int
	value              int
}

// narrowOf returns the places for the programs of 32 bits of an architecture. It returns
// false for one of which they are not known.
func narrowOf(k abi.Table) (narrow, bool) {
	n, known := map[string]narrow{
		// arch/x86/include/asm/user_32.h: ebx, ecx, edx, esi, edi, ebp, eax; orig_eax,
		// eip and esp.
		"amd64": {audit: 0x40000003, words: 17, number: 11, instruction: 12, stack: 15, arguments: [6]int{0, 1, 2, 3, 4, 5}, value: 6},
		// arch/arm64/kernel/ptrace.c (compat_gpr_get): r0 to r15, cpsr and orig_r0. The
		// number is in r7.
		"arm64": {audit: 0x40000028, words: 18, number: 7, instruction: 15, stack: 13, arguments: [6]int{17, 1, 2, 3, 4, 5}, value: 0},
	}[k.GOARCH]
	return n, known
}

func (n narrow) bytes() uintptr { return 4 * uintptr(n.words) }

// show describes the call of a thread by its registers.
func (n narrow) show(info *Info, w *Words) {
	all := (*[2 * MaxRegisters]uint32)(unsafe.Pointer(&w.All))
	info.Arch, info.Instruction, info.Stack = n.audit, uint64(all[n.instruction]), uint64(all[n.stack])
	if info.Operation == Exit {
		const most = 4095 // MAX_ERRNO (include/linux/err.h)
		value := int32(all[n.value])
		if failed := value < 0 && value >= -most; failed {
			info.SetResult(uint64(int64(value)), true)
		} else {
			info.SetResult(uint64(all[n.value]), false)
		}
		return
	}
	info.Words[0] = uint64(all[n.number])
	for i, at := range n.arguments {
		info.Words[1+i] = uint64(all[at])
	}
}
