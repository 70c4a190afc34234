// Wants 60 workers and is refused some. Later one short thread succeeds, since another
// has ended. The program ends because its pool is too small.
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int leave;
static void *worker(void *stays) { while (!leave || stays) usleep(20000); return stays; }
static void *nothing(void *p) { return p; }

int main(void) {
	int n = 0, e = 0;
	char go;
	pthread_t t, first;
	puts("up");
	fflush(stdout);
	if (read(0, &go, 1) < 0) return 9; // until the tracer is there
	pthread_create(&first, 0, worker, 0);
	for (; n < 60; n++) if ((e = pthread_create(&t, 0, worker, (void *)1))) break;
	leave = 1;
	pthread_join(first, 0);
	usleep(300000); // the kernel counts an ended thread a moment longer
	pthread_create(&t, 0, nothing, 0);
	fprintf(stderr, "fatal: the pool has %d of 60 workers (%s)\n", n, strerror(e));
	return 8;
}
