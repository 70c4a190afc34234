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
	MOV	ZERO, -16(X2)	// whether a thread was refused; all threads share it
	MOV	$const_threads, S3
	MOV	$const_threads, S4
	MOV	$const_again, S5
make:
	MOV	$220, A7	// clone(flags, 0, NULL, 0, NULL)
	MOV	$const_threadFlags, A0
	MOV	ZERO, A1
	MOV	ZERO, A2
	MOV	ZERO, A3
	MOV	ZERO, A4
	ECALL
	BNEZ	A0, made
	ADD	$-1, S3	// the new thread makes the next one
	BNEZ	S3, make
	JMP	end
made:
	BNE	A0, S5, ended
	MOV	$1, A1
	MOV	A1, -16(X2)
ended:
	BEQ	S3, S4, first
end:
	MOV	$93, A7	// exit(0)
	MOV	ZERO, A0
	ECALL
first:
	MOV	$·Crowded(SB), S2
	MOV	-16(X2), A1
	BNEZ	A1, say
	JMP	_rt0_riscv64_linux(SB)
short:
	ADD	$Limit_Says, S2
say:
	MOV	$64, A7	// write(2, says, length)
	MOV	$2, A0
	MOV	0(S2), A1
	MOV	8(S2), A2
	ECALL
	MOV	$94, A7	// exit_group(69)
	MOV	$69, A0
	ECALL
	EBREAK
