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
	JMP	_rt0_loong64_linux(SB)
short:
	MOVV	$64, R11	// write(2, says, length)
	MOVV	$2, R4
	MOVV	Limit_Says(R23), R5
	MOVV	(Limit_Says+8)(R23), R6
	SYSCALL
	MOVV	$94, R11	// exit_group(69)
	MOVV	$69, R4
	SYSCALL
	BREAK
