#include "go_asm.h"
#include "textflag.h"

// See rt0_linux_amd64.s.
TEXT _rt0_mapstack(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVV	$·Limits(SB), R23
	MOVV	$const_count, R24
next:
	MOVV	$261, R11	// prlimit64(0, resource, NULL, &limit)
	MOVV	R0, R4
	MOVV	Limit_Resource(R23), R5
	MOVV	R0, R6
	ADDV	$-16, R3, R7
	SYSCALL
	BNE	R4, enough	// not known
	MOVV	-16(R3), R4
	MOVV	Limit_Enough(R23), R5
	BLTU	R4, R5, short
enough:
	ADDV	$Limit__size, R23
	ADDV	$-1, R24
	BNE	R24, next
	MOVV	R0, -16(R3)	// whether a thread was refused; all threads share it
	MOVV	$const_threads, R24
	MOVV	$const_threads, R25
	MOVV	$const_again, R26
make:
	MOVV	$220, R11	// clone(flags, 0, NULL, NULL, 0)
	MOVV	$const_threadFlags, R4
	MOVV	R0, R5
	MOVV	R0, R6
	MOVV	R0, R7
	MOVV	R0, R8
	SYSCALL
	BNE	R4, made
	ADDV	$-1, R24	// the new thread makes the next one
	BNE	R24, make
	JMP	end
made:
	BNE	R4, R26, ended
	MOVV	$1, R5
	MOVV	R5, -16(R3)
ended:
	BEQ	R24, R25, first
end:
	MOVV	$93, R11	// exit(0)
	MOVV	R0, R4
	SYSCALL
first:
	MOVV	$·Crowded(SB), R23
	MOVV	-16(R3), R5
	BNE	R5, say
	JMP	_rt0_loong64_linux(SB)
short:
	ADDV	$Limit_Says, R23
say:
	MOVV	$64, R11	// write(2, says, length)
	MOVV	$2, R4
	MOVV	0(R23), R5
	MOVV	8(R23), R6
	SYSCALL
	MOVV	$94, R11	// exit_group(69)
	MOVV	$69, R4
	SYSCALL
	BREAK
