// Asks at the start what clone3 takes, which is harmless. Much later a limit refuses a
// thread, and the program ends.
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *wait_for_ever(void *p) { pause(); return p; }

int main(void) {
	syscall(SYS_clone3, 0, 1);
	sleep(4);
	for (int i = 0; i < 100; i++) {
		pthread_t t;
		int e = pthread_create(&t, 0, wait_for_ever, 0);
		if (e) { printf("thread %d: %s\n", i + 1, strerror(e)); return 3; }
	}
	return 0;
}
