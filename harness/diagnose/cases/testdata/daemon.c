// Becomes a daemon. A second later the daemon is refused its threads.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *wait_for_ever(void *p) { pause(); return p; }

int main(void) {
	if (daemon(1, 1)) return 9;
	sleep(1);
	for (int i = 0; i < 60; i++) {
		pthread_t t;
		int e = pthread_create(&t, 0, wait_for_ever, 0);
		if (e) { fprintf(stderr, "daemon: thread %d: %s\n", i, strerror(e)); return 3; }
	}
	return 0;
}
