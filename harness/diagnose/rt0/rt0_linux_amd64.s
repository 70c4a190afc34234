#include "go_asm.h"
#include "textflag.h"

// The entry has no frame: the stack begins with the count of arguments, and nothing below it
// is used yet. See include/uapi/asm-generic/unistd.h or syscall_64.tbl for the numbers.
TEXT _rt0_mapstack(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	LEAQ	·Limits(SB), BX
	MOVQ	$const_count, R12
next:
	MOVQ	$302, AX	// prlimit64(0, resource, NULL, &limit)
	XORL	DI, DI
	MOVQ	Limit_Resource(BX), SI
	XORL	DX, DX
	LEAQ	-16(SP), R10
	SYSCALL
	TESTQ	AX, AX
	JNE	enough	// not known
	MOVQ	-16(SP), AX
	CMPQ	AX, Limit_Enough(BX)
	JCS	short
enough:
	ADDQ	$Limit__size, BX
	DECQ	R12
	JNE	next
	JMP	_rt0_amd64_linux(SB)
short:
	MOVQ	$1, AX	// write(2, says, length)
	MOVQ	$2, DI
	MOVQ	Limit_Says(BX), SI
	MOVQ	(Limit_Says+8)(BX), DX
	SYSCALL
	MOVQ	$231, AX	// exit_group(69)
	MOVQ	$69, DI
	SYSCALL
	INT	$3
