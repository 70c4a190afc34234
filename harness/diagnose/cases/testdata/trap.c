// A sandbox that turns clone into SIGSYS and answers EAGAIN in the handler.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static void answer(int number, siginfo_t *info, void *context) {
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
#ifdef __x86_64__
	m->gregs[REG_RAX] = -EAGAIN;
#elif defined __aarch64__
	m->regs[0] = -EAGAIN;
#else
#error "say where a system call's result is"
#endif
}

int main(void) {
	struct sigaction a = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};
	sigaction(SIGSYS, &a, 0);
	struct sock_filter p[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog f = {4, p};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &f)) return 9;
	pid_t job = fork();
	if (job == 0) _exit(0);
	if (job < 0) { printf("job: %s\n", strerror(errno)); return 3; }
	return 0;
}
