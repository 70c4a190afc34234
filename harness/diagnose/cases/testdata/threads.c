// Makes as many threads as its argument says, by the C library. Its second argument is
// "stay", "locked" for a program that locks its memory, as databases do, or "undumpable"
// for one that hides it, as ssh-agent does.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *wait_for_ever(void *p) { pause(); return p; }

int main(int count, char **words) {
	if (count > 2 && !strcmp(words[2], "undumpable")) prctl(PR_SET_DUMPABLE, 0);
	if (count > 2 && !strcmp(words[2], "locked") && mlockall(MCL_FUTURE)) return 9;
	for (int i = 0; i < atoi(words[1]); i++) {
		pthread_t t;
		int e = pthread_create(&t, 0, wait_for_ever, 0);
		if (e) { printf("worker %d of %s: %s\n", i + 1, words[1], strerror(e)); return 3; }
	}
	puts("up");
	fflush(stdout);
	if (count > 2 && !strcmp(words[2], "stay")) pause();
	return 0;
}
