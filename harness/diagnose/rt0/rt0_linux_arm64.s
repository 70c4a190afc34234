#include "go_asm.h"
#include "textflag.h"

// See rt0_linux_amd64.s.
TEXT _rt0_mapstack(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVD	$·Limits(SB), R19
	MOVD	$const_count, R20
next:
	MOVD	$261, R8	// prlimit64(0, resource, NULL, &limit)
	MOVD	$0, R0
	MOVD	Limit_Resource(R19), R1
	MOVD	$0, R2
	SUB	$16, RSP, R3
	SVC
	CBNZ	R0, enough	// not known
	SUB	$16, RSP, R3
	MOVD	(R3), R0
	MOVD	Limit_Enough(R19), R1
	CMP	R1, R0
	BLO	short
enough:
	ADD	$Limit__size, R19
	SUB	$1, R20
	CBNZ	R20, next
	SUB	$16, RSP, R21
	MOVD	ZR, (R21)	// whether a thread was refused; all threads share it
	MOVD	$const_threads, R20
make:
	MOVD	$220, R8	// clone(flags, 0, NULL, 0, NULL)
	MOVD	$const_threadFlags, R0
	MOVD	$0, R1
	MOVD	$0, R2
	MOVD	$0, R3
	MOVD	$0, R4
	SVC
	CBNZ	R0, made
	SUB	$1, R20	// the new thread makes the next one
	CBNZ	R20, make
	JMP	end
made:
	CMP	$const_again, R0
	BNE	ended
	MOVD	$1, R1
	MOVD	R1, (R21)
ended:
	CMP	$const_threads, R20
	BEQ	first
end:
	MOVD	$93, R8	// exit(0)
	MOVD	$0, R0
	SVC
first:
	MOVD	$·Crowded(SB), R19
	MOVD	(R21), R1
	CBNZ	R1, say
	JMP	_rt0_arm64_linux(SB)
short:
	ADD	$Limit_Says, R19
say:
	MOVD	$64, R8	// write(2, says, length)
	MOVD	$2, R0
	MOVD	0(R19), R1
	MOVD	8(R19), R2
	SVC
	MOVD	$94, R8	// exit_group(69)
	MOVD	$69, R0
	SVC
	UNDEF
