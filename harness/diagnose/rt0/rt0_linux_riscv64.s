#include "go_asm.h"
#include "textflag.h"

// See rt0_linux_amd64.s.
TEXT _rt0_mapstack(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOV	$·Limits(SB), S2
	MOV	$const_count, S3
next:
	MOV	$261, A7	// prlimit64(0, resource, NULL, &limit)
	MOV	ZERO, A0
	MOV	Limit_Resource(S2), A1
	MOV	ZERO, A2
	ADD	$-16, X2, A3
	ECALL
	BNEZ	A0, enough	// not known
	MOV	-16(X2), A0
	MOV	Limit_Enough(S2), A1
	BLTU	A0, A1, short
enough:
	ADD	$Limit__size, S2
	ADD	$-1, S3
	BNEZ	S3, next
	JMP	_rt0_riscv64_linux(SB)
short:
	MOV	$64, A7	// write(2, says, length)
	MOV	$2, A0
	MOV	Limit_Says(S2), A1
	MOV	(Limit_Says+8)(S2), A2
	ECALL
	MOV	$94, A7	// exit_group(69)
	MOV	$69, A0
	ECALL
	EBREAK
